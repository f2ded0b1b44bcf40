import { describeWith } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { useRedis } from './use-redis.ts'

/** Cached doubles, and the arguments for which they were computed. */
function doubles(backend: CacheBackend) {
  const computed: number[] = []
  const double = cache({ ttl: 60, backend, tags: (id) => [`n:${id}`] }, async function double(id: number) {
    computed.push(id)
    if (id < 0) throw new Error(`no double of ${id}`)
    return 2 * id
  })
  return { computed, double }
}

describeEachBackend('many', (create) => {
  it('gives the results in order, and computes each missing one once', async () => {
    const { computed, double } = doubles(create())
    await double(2)
    expect(await double.many([[1], [2], [3], [1]])).toEqual([2, 4, 6, 2])
    expect(new Set(computed)).toEqual(new Set([1, 2, 3]))
    expect(computed).toHaveLength(3)
    expect(await double.many([[3], [2]])).toEqual([6, 4])
    expect(computed).toHaveLength(3)
    expect(await double.many([])).toEqual([])
  })

  it('rejects when one fails, and keeps the others', async () => {
    const backend = create()
    const { double } = doubles(backend)
    await expect(double.many([[1], [-1]])).rejects.toThrow('no double of -1')
    expect(await double.lookup(1)).toMatchObject({ value: 2 })
  })

  it('computes what was invalidated', async () => {
    const backend = create()
    const { computed, double } = doubles(backend)
    await double.many([[1], [2]])
    await invalidate({ tags: ['n:1'], backend })
    await double.many([[1], [2]])
    expect(computed.toSorted((one, other) => one - other)).toEqual([1, 1, 2])
  })
})

describeWith('redis', 'many, in Redis', () => {
  const server = useRedis()

  it('reads a hundred values and their tags with three commands', async () => {
    const { client } = server
    const { double } = doubles(new RedisCache(client, { deadline: '10s' }))
    const calls = Array.from({ length: 100 }, (_, id): [number] => [id])
    await double.many(calls)
    await client.config('RESETSTAT')
    expect(await double.many(calls)).toEqual(calls.map(([id]) => 2 * id))
    const stats = await client.info('commandstats')
    const commands = [...stats.matchAll(/^cmdstat_(\w+)\S*:calls=(\d+)/gm)].map(([, name, calls]) => [
      name,
      calls,
    ])
    expect(commands.filter(([name]) => name !== 'config')).toEqual([['mget', '3']])
  })
})
