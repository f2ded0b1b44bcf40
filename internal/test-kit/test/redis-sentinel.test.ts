import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { describeWith, eventually, startRedisSentinel } from '../src/index.ts'

describeWith('redis', 'startRedisSentinel', () => {
  it(
    'leads clients to the master, and to the replica once the master was killed',
    { timeout: 60_000 },
    async () => {
      await using sentinel = await startRedisSentinel()
      const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name })
      client.on('error', () => undefined)
      await client.set('foo', 'bar')
      expect(client.stream.remotePort).toBe(sentinel.master.port)
      expect(await client.wait(1, 10_000)).toBe(1)
      await sentinel.killMaster()
      await eventually(async () => expect(await client.set('foo', 'after')).toBe('OK'), { timeoutMs: 30_000 })
      expect(client.stream.remotePort).toBe(sentinel.replica.port)
      client.disconnect()
    },
  )
})
