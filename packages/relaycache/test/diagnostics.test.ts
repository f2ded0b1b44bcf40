import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describeWith, eventually } from '@outrider/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { cache, InMemoryCache, invalidate, type DiagnosticEvents } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { useRedis } from './use-redis.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

/** Everything that is published on a channel from now until the end of the test. */
function record<Name extends keyof DiagnosticEvents>(name: Name): DiagnosticEvents[Name][] {
  const events: DiagnosticEvents[Name][] = []
  const listen = (message: unknown): void => void events.push(message as DiagnosticEvents[Name])
  subscribe(name, listen)
  endings.push(() => unsubscribe(name, listen))
  return events
}

describe('the diagnostics channels', () => {
  it('tell how long a function ran, once for all who waited', async () => {
    const events = record('relaycache:compute')
    const backend = new InMemoryCache()
    const get = cache({ ttl: 60, backend }, async function get(id: number) {
      return id
    })
    await Promise.all([get(1), get(1)])
    await get(1)
    expect(events).toEqual([{ backend, name: 'get', key: get.keyOf(1), durationMs: expect.any(Number) }])
    expect(events[0]?.durationMs).toBeGreaterThanOrEqual(0)
  })

  it('tell what a function threw, now or later', async () => {
    const events = record('relaycache:compute')
    const error = new Error('no')
    const throws = (): never => {
      throw error
    }
    const backend = new InMemoryCache()
    await expect(cache({ ttl: 60, backend, key: 'now' }, throws)()).rejects.toBe(error)
    await expect(cache({ ttl: 60, backend, key: 'later' }, async () => throws())()).rejects.toBe(error)
    expect(events).toMatchObject([
      { name: 'now', error },
      { name: 'later', error },
    ])
  })

  it('tell what was invalidated', async () => {
    const events = record('relaycache:invalidate')
    const backend = new InMemoryCache()
    await invalidate({ tags: ['a', 'b'], backend })
    await backend.delete('key')
    await backend.clear()
    expect(events).toEqual([
      { backend, operation: 'invalidateTags', tags: ['a', 'b'] },
      { backend, operation: 'delete', tags: [], key: 'key' },
      { backend, operation: 'clear', tags: [] },
    ])
  })

  it('tell of the errors that onError hears', async () => {
    const events = record('relaycache:error')
    const errors: unknown[] = []
    const backend = new InMemoryCache({ onError: (error) => errors.push(error) })
    await backend.set('a', Symbol('no'))
    expect(errors).toHaveLength(1)
    expect(events).toEqual([{ backend, error: errors[0] }])
  })
})

describeWith('redis', 'the diagnostics channels of a cache in Redis', () => {
  const server = useRedis()

  it('tell of the circuit breaker, of errors, and of what is not confirmed', async () => {
    const { client } = server
    const breaker = record('relaycache:breaker')
    const errors = record('relaycache:error')
    const invalidations = record('relaycache:invalidate')
    const backend = new RedisCache(client, { invalidateDeadline: '50ms', onError: () => undefined })
    expect(backend.breaker).toBe('closed')
    client.disconnect()
    await eventually(() => client.status === 'end')
    await backend.get('a')
    await expect(backend.delete('a')).rejects.toThrow('Redis did not confirm delete')
    expect(breaker).toEqual([{ backend, state: 'open' }])
    expect(errors).toMatchObject([{ backend, error: { code: 'RELAYCACHE_BACKEND_FAILED' } }])
    expect(invalidations).toMatchObject([
      { backend, operation: 'delete', error: { code: 'RELAYCACHE_INVALIDATION_UNCONFIRMED' } },
    ])
    await client.connect()
    await eventually(async () => {
      await backend.get('a')
      return backend.breaker === 'closed'
    })
    expect(breaker.map(({ state }) => state)).toEqual(['open', 'half-open', 'closed'])
  })
})
