import { setImmediate } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  describeWith,
  eventually,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '../src/index.ts'

describeWith('redis', 'startTcpProxy', () => {
  let redis: TestRedis
  let proxy: TcpProxy
  let client: Redis
  beforeEach(async () => {
    redis = await startRedis()
    proxy = await startTcpProxy(redis)
    client = connect()
    await client.ping()
  })
  afterEach(async () => {
    client.disconnect()
    await proxy.stop()
    await redis.stop()
  })

  function connect(): Redis {
    const created = new Redis({
      host: proxy.host,
      port: proxy.port,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    })
    created.on('error', () => {})
    return created
  }

  it('passes everything on, also large values', async () => {
    const value = 'x'.repeat(5_000_000)
    await client.set('key', value)
    expect(await client.get('key')).toBe(value)
    expect(proxy.connections).toBe(1)
    client.disconnect()
    await eventually(() => proxy.connections === 0)
  })

  it('delays each direction', async () => {
    proxy.setLatency(40)
    const start = performance.now()
    await client.ping()
    expect(performance.now() - start).toBeGreaterThan(75)
    proxy.setLatency(0)
    expect(await client.ping()).toBe('PONG')
  })

  it('keeps the order while the delay changes', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`)
    const answers: Promise<string>[] = []
    for (const [index, text] of texts.entries()) {
      proxy.setLatency(index % 3)
      answers.push(client.echo(text))
      await setImmediate()
    }
    expect(await Promise.all(answers)).toEqual(texts)
  })

  it('resets the open connections and accepts new ones', async () => {
    const ended = new Promise((resolve) => client.once('close', resolve))
    const unanswered = client.blpop('queue', 0)
    proxy.cut()
    await expect(unanswered).rejects.toThrow()
    await ended
    const next = connect()
    expect(await next.ping()).toBe('PONG')
    next.disconnect()
  })

  it('refuses new connections while the open ones live on', async () => {
    proxy.refuse(true)
    await expect(connect().ping()).rejects.toThrow()
    expect(await client.ping()).toBe('PONG')
    proxy.refuse(false)
    const next = connect()
    expect(await next.ping()).toBe('PONG')
    next.disconnect()
  })

  it('swallows everything while half open, and keeps the connections', async () => {
    const direct = new Redis(redis.url)
    proxy.halfOpen(true)
    let settled = false
    const lost = client
      .set('key', 'lost')
      .catch(() => {})
      .finally(() => {
        settled = true
      })
    // What takes the direct way arrives, what takes the broken line does not.
    await direct.set('other', 'arrived')
    expect(await direct.mget('key', 'other')).toEqual([null, 'arrived'])
    expect(settled).toBe(false)
    expect(proxy.connections).toBe(1)

    // Even the end of the server does not come through.
    await redis.kill('SIGKILL')
    await eventually(() => direct.status !== 'ready')
    expect(client.status).toBe('ready')
    proxy.cut()
    await lost
    direct.disconnect()
  })
})
