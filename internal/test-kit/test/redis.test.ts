import { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isProcessAlive } from '@outrider/embedded-postgres/process'
import { describeWith, eventually, prepareServices, startRedis, type TestRedis } from '../src/index.ts'

afterEach(() => vi.unstubAllEnvs())

async function withClient<T>({ url }: TestRedis, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    return await use(client)
  } finally {
    client.disconnect()
  }
}

describeWith('redis', 'startRedis', () => {
  it('starts an empty server without persistence', async () => {
    await using redis = await startRedis()
    await withClient(redis, async (client) => {
      expect(await client.dbsize()).toBe(0)
      expect(await client.config('GET', 'save')).toEqual(['save', ''])
      expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'no'])
    })
  })

  it('gives every caller a server of its own, with the arguments asked for', async () => {
    await using first = await startRedis()
    await using second = await startRedis({ args: ['--maxmemory', '7mb'] })
    expect(second.port).not.toBe(first.port)
    await withClient(second, async (client) => {
      expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', String(7 * 1024 * 1024)])
    })
  })

  it('can be killed and comes back empty on the same port', async () => {
    await using redis = await startRedis()
    const { pid, port } = redis
    await withClient(redis, (client) => client.set('key', 'value'))
    await redis.kill('SIGKILL')
    expect(redis.pid).toBeUndefined()
    expect(isProcessAlive(pid ?? 0)).toBe(false)
    await expect(withClient(redis, (client) => client.ping())).rejects.toThrow()
    await redis.restart()
    expect(redis.port).toBe(port)
    expect(redis.pid).not.toBe(pid)
    await withClient(redis, async (client) => expect(await client.get('key')).toBeNull())
    await redis.restart()
    await withClient(redis, async (client) => expect(await client.ping()).toBe('PONG'))
  })

  it('can be frozen and thawed', async () => {
    await using redis = await startRedis()
    await withClient(redis, async (client) => {
      await client.ping()
      await redis.kill('SIGSTOP')
      let answered = false
      const answer = client.ping().finally(() => {
        answered = true
      })
      // Another server answers in the meantime.
      await using other = await startRedis()
      await withClient(other, (client) => client.ping())
      expect(answered).toBe(false)
      await redis.kill('SIGCONT')
      expect(await answer).toBe('PONG')
    })
  })

  it('says what the server wrote when it does not start', async () => {
    const failure = startRedis({ args: ['--maxmemory', 'plenty'] })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_SERVICE_FAILED' })
    await expect(failure).rejects.toThrow(/maxmemory/)
  })

  it('uses the server of REDIS_URL, which it leaves alone', async () => {
    await using own = await startRedis({ args: [] })
    vi.stubEnv('REDIS_URL', own.url)
    const given = await startRedis()
    expect(given).toMatchObject({ url: own.url, host: own.host, port: own.port, pid: undefined })
    await expect(given.kill('SIGKILL')).rejects.toMatchObject({ code: 'ERR_SERVICE_EXTERNAL' })
    await expect(given.restart()).rejects.toMatchObject({ code: 'ERR_SERVICE_EXTERNAL' })
    await given.stop()
    await withClient(own, async (client) => expect(await client.ping()).toBe('PONG'))
  })

  it('keeps its port free of confusion when many start at once', async () => {
    const servers = await Promise.all(Array.from({ length: 8 }, () => startRedis({ args: [] })))
    expect(new Set(servers.map(({ port }) => port)).size).toBe(8)
    await Promise.all(servers.map((server) => server.stop()))
    await eventually(() => servers.every(({ pid }) => pid === undefined))
  })
})

describe('without any Redis', () => {
  it('one error names the three ways out', async () => {
    vi.stubEnv('PATH', '')
    vi.stubEnv('SKIP_SERVICES', '')
    vi.stubEnv('REDIS_URL', '')
    vi.stubEnv('REDIS_SERVER_BINARY', '')
    const failure: unknown = await startRedis().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_SERVICE_MISSING' })
    for (const way of ['package manager', 'Docker', 'REDIS_URL', 'SKIP_SERVICES=redis']) {
      expect(failure).toHaveProperty('message', expect.stringContaining(way))
    }
    await expect(prepareServices(['redis', 'postgres'])).rejects.toMatchObject({
      code: 'ERR_SERVICE_MISSING',
    })
  })

  it('a wrong REDIS_SERVER_BINARY is named', async () => {
    vi.stubEnv('REDIS_URL', '')
    vi.stubEnv('REDIS_SERVER_BINARY', '/does/not/exist')
    await expect(startRedis()).rejects.toThrow('REDIS_SERVER_BINARY names /does/not/exist')
  })
})
