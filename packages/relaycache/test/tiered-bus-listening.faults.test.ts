import { setTimeout as elapse } from 'node:timers/promises'
import { describeWith, startTcpProxy } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { RedisCache, TieredCache, type RedisClient } from '../src/redis/index.ts'
import { block, openBus, splitting, untilTrusted } from './trusted.ts'
import { useRedisForEach } from './use-redis.ts'

const LEASE = '500ms'
const LEASE_MS = 500

/** A silent connection is noticed after some seconds. */
const TIMEOUT_MS = 15_000

describeWith('redis', "TieredCache with mode 'bus' listens in the end", () => {
  const server = useRedisForEach()
  const open = (client: RedisClient) => {
    const l2 = new RedisCache(client, { deadline: '1s', onError: () => undefined })
    return new TieredCache({ mode: 'bus', l1Lease: LEASE, l2 })
  }

  it('when its user was not allowed in at first', async () => {
    await server.client.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all')
    const client = await server.open({ username: 'app', password: 'secret' })
    await server.client.call('ACL', 'SETUSER', 'app', 'off')
    const backend = open(client)
    await backend.has('nothing')
    await elapse(LEASE_MS)
    await server.client.call('ACL', 'SETUSER', 'app', 'on')
    await untilTrusted(backend, TIMEOUT_MS)
  })

  it('when its user may not use the channel at first', async () => {
    const acl = (channels: string) =>
      server.client.call('ACL', 'SETUSER', 'app', 'on', 'nopass', '~*', '+@all', 'resetchannels', channels)
    await acl('&relaycache:meta:bus:*')
    const backend = open(await server.open({ username: 'app', password: 'any' }))
    await backend.has('nothing')
    await elapse(LEASE_MS)
    await acl('&*')
    await untilTrusted(backend, TIMEOUT_MS)
  })

  it('when it takes longer to connect than a command may take', async () => {
    await using proxy = await startTcpProxy(server.redis, { latencyMs: 20 })
    await untilTrusted(open(await server.open({ commandTimeout: 100 }, proxy.port)))
  })

  it('when its connection was silent from the start', async () => {
    await using proxy = await startTcpProxy(server.redis)
    const lines = await server.open({}, proxy.port)
    proxy.halfOpen(true)
    const backend = open(splitting(await server.open(), lines))
    await backend.has('nothing')
    await elapse(LEASE_MS)
    proxy.halfOpen(false)
    await untilTrusted(backend, TIMEOUT_MS)
  })

  it('when its client was connected again as it ended', async () => {
    const client = await server.open()
    client.once('end', () => void client.connect())
    const backend = open(client)
    await untilTrusted(backend, TIMEOUT_MS)
    client.disconnect()
    await elapse(LEASE_MS)
    await untilTrusted(backend, TIMEOUT_MS)
  })

  it('when its client forgot a heartbeat that was under way', async () => {
    await using proxy = await startTcpProxy(server.redis)
    const backend = open(await server.open({ autoResendUnfulfilledCommands: false }, proxy.port))
    await untilTrusted(backend, TIMEOUT_MS)
    proxy.setLatency(100)
    await elapse(LEASE_MS)
    proxy.cut()
    proxy.setLatency(0)
    await elapse(LEASE_MS)
    await untilTrusted(backend, TIMEOUT_MS)
  })

  it('keeps a sound connection when its event loop was blocked for long', async () => {
    const backend = await openBus(await server.open(), { l1Lease: LEASE })
    const listening = async () => String(await server.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
    const [before = expect.fail()] = (await listening()).split(' ')
    for (const betweenBeatsMs of [130, 190, 250]) {
      await elapse(betweenBeatsMs)
      block(3300)
      await untilTrusted(backend, TIMEOUT_MS)
    }
    expect(await listening()).toContain(`${before} `)
  })
})
