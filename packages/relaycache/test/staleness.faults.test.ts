import { setTimeout as work } from 'node:timers/promises'
import {
  describeWith,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@outrider/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cache, InMemoryCache, invalidate, type CacheBackend } from '../src/index.ts'
import { RedisCache, TieredCache, type RedisClient } from '../src/redis/index.ts'
import { brokenVariants, variants, type Variant } from './fixtures/staleness-variants.ts'
import { Random } from './random.ts'
import { connect, connectCluster } from './redis-clients.ts'
import { countInProcesses, type ProcessTrial } from './staleness-processes.ts'

const FULL_SIZE = process.env['OUTRIDER_FAULTS'] === '1'
/** Of each trial within this process. */
const OPERATIONS = FULL_SIZE ? 50_000 : 4000
/** Of all trials with several processes together. */
const OPERATIONS_IN_PROCESSES = FULL_SIZE ? 1_000_000 : 20_000
const ROWS = 8
const WRITERS = 2

interface Trial {
  readonly backends: readonly CacheBackend[]
  /** Disturbs the backends again and again while readers and writers run. */
  readonly disturb?: (random: Random) => Promise<unknown>
}

/**
 * Readers and writers of a small table on several backends at once. A read is stale if it gives a version older than
 * one whose invalidation had resolved before the read began. Each row has one writer: what that passes to `set` right
 * after its own change is still the latest version when the backend receives it.
 */
async function countStaleReads({ backends, disturb }: Trial, random: Random) {
  const table = Array.from({ length: ROWS }, () => 0)
  const confirmed = [...table]
  const counts = { reads: 0, stale: 0, computed: 0, hits: 0, refreshed: 0, set: 0 }
  let left = OPERATIONS
  const running = () => left-- > 0

  const tagsOf = (row: number, reader: number) =>
    [
      ['all', `row:${row}`, `reader:${reader}`],
      [`row:${row}`, 'all'],
    ][reader % 2] ?? []
  const readers = backends.map((backend, reader) =>
    cache(
      { ttl: reader === 0 ? 60 : '40ms', backend, tags: (row: number) => tagsOf(row, reader) },
      async function read(row: number) {
        counts.computed += 1
        const version = table[row] ?? 0
        await work(random.below(5))
        return version
      },
    ),
  )
  const keepReading = async (read: (typeof readers)[number]) => {
    while (running()) {
      const row = random.below(ROWS)
      const floor = confirmed[row] ?? 0
      const refreshes = random.below(20) === 0
      const { value, status } = refreshes
        ? { value: await read.refresh(row), status: 'refreshed' }
        : await read.lookup(row)
      counts.reads += 1
      if (status === 'hit') counts.hits += 1
      if (refreshes) counts.refreshed += 1
      if (value < floor) counts.stale += 1
      if (random.below(4) === 0) await work(random.below(3))
    }
  }
  const keepWriting = async (writer: number) => {
    const backend = backends[writer] ?? expect.fail()
    const read = readers[writer] ?? expect.fail()
    while (running()) {
      const row = WRITERS * random.below(ROWS / WRITERS) + writer
      const version = (table[row] ?? 0) + 1
      table[row] = version
      const how = random.below(12)
      if (how > 9) {
        const ttl = random.below(2) === 0 ? '40ms' : '1m'
        const stored = await backend.set(read.keyOf(row), version, { ttl, tags: tagsOf(row, writer) })
        if (stored) counts.set += 1
        else await read.invalidate(row)
      } else if (how === 0) await backend.clear()
      else if (how < 3) await read.invalidate(row)
      else await invalidate({ tags: how < 5 ? ['all'] : [`row:${row}`], backend })
      confirmed[row] = Math.max(confirmed[row] ?? 0, version)
      await work(random.below(12))
    }
  }
  const keepDisturbing = async () => {
    if (!disturb) return
    while (running()) {
      await disturb(random)
      await work(random.below(20))
    }
  }
  await Promise.all([
    ...readers.flatMap((read) => [keepReading(read), keepReading(read), keepReading(read)]),
    ...Array.from({ length: WRITERS }, (_, writer) => keepWriting(writer)),
    keepDisturbing(),
  ])
  return counts
}

async function expectNoStaleReads(trial: Trial): Promise<void> {
  const random = new Random()
  const counts = await countStaleReads(trial, random)
  const told = `OUTRIDER_SEED=${random.seed} ${JSON.stringify(counts)}`
  process.stderr.write(`staleness: ${told}\n`)
  expect(counts.hits, told).toBeGreaterThan(0)
  expect(counts.computed, told).toBeGreaterThan(0)
  expect(counts.refreshed, told).toBeGreaterThan(0)
  expect(counts.set, told).toBeGreaterThan(0)
  expect(counts.stale, told).toBe(0)
}

/**
 * A client that delivers every write a second time, later, as one does that resends after a lost connection.
 * `settled` resolves once nothing is under way any more.
 */
function delivering(client: RedisClient, random: Random) {
  const underway = new Set<Promise<unknown>>()
  const twice = new Proxy(client, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        const send = (): Promise<unknown> => Reflect.apply(member, target, args) as Promise<unknown>
        if (property === 'eval' || property === 'del') underway.add(work(random.below(10)).then(send))
        return send()
      }
    },
  })
  return { client: twice, settled: async () => Promise.all(underway) }
}

const timeout = 60_000 + OPERATIONS

describe('no read is older than an invalidation that resolved before it began', () => {
  it('in memory', { timeout }, async () => {
    const backend = new InMemoryCache({ maxItems: 6 })
    await expectNoStaleReads({ backends: [backend, backend, backend] })
  })

  describeWith('redis', 'in Redis', () => {
    it('with several clients', { timeout }, async () => {
      await using redis = await startRedis()
      const clients = await Promise.all([connect(redis.port), connect(redis.port), connect(redis.port)])
      await expectNoStaleReads({
        backends: clients.map((client) => new RedisCache(client, { deadline: '10s' })),
      })
      for (const client of clients) client.disconnect()
    })

    it('while keys are evicted at random', { timeout }, async () => {
      await using redis = await startRedis()
      const clients = await Promise.all([connect(redis.port), connect(redis.port), connect(redis.port)])
      const evictor = await connect(redis.port)
      await expectNoStaleReads({
        backends: clients.map((client) => new RedisCache(client, { deadline: '10s' })),
        disturb: async (random) => {
          const keys = (await evictor.keys('*')).toSorted()
          const key = keys[random.below(keys.length || 1)]
          return random.below(50) === 0 ? evictor.flushall() : key && evictor.unlink(key)
        },
      })
      for (const client of [...clients, evictor]) client.disconnect()
    })

    it('when every write arrives twice', { timeout }, async () => {
      await using redis = await startRedis()
      const clients = await Promise.all([connect(redis.port), connect(redis.port), connect(redis.port)])
      const random = new Random()
      const twice = clients.map((client) => delivering(client, random))
      await expectNoStaleReads({
        backends: twice.map(({ client }) => new RedisCache(client, { deadline: '10s' })),
      })
      for (const { settled } of twice) await settled()
      for (const client of clients) client.disconnect()
    })

    it('when every write arrives twice, with values kept in memory as well', { timeout }, async () => {
      await using redis = await startRedis()
      const clients = await Promise.all([connect(redis.port), connect(redis.port), connect(redis.port)])
      const random = new Random()
      const twice = clients.map((client) => delivering(client, random))
      const caches = twice.map(({ client }) => new RedisCache(client, { deadline: '10s' }))
      const backends = caches.map((l2) => new TieredCache({ l1: new InMemoryCache({ maxItems: 6 }), l2 }))
      await expectNoStaleReads({ backends })
      for (const backend of backends) expect((await backend.stats()).l1.hits).toBeGreaterThan(0)
      for (const { settled } of twice) await settled()
      for (const client of clients) client.disconnect()
    })

    it('in a Cluster', { timeout }, async () => {
      await using nodes = await startRedisCluster()
      const clients = await Promise.all([connectCluster(nodes.nodes), connectCluster(nodes.nodes)])
      await expectNoStaleReads({
        backends: clients.map((client) => new RedisCache(client, { deadline: '10s' })),
      })
      for (const client of clients) client.disconnect()
    })
  })
})

describeWith('redis', 'with several processes, while keys are evicted at random', () => {
  const operations = Math.ceil(OPERATIONS_IN_PROCESSES / (2 * variants.length))
  const limits = { timeout: 60_000 + 2 * operations }
  let redis: TestRedis
  let cluster: TestRedisCluster
  beforeAll(async () => {
    ;[redis, cluster] = await Promise.all([startRedis(), startRedisCluster()])
  })
  afterAll(() => Promise.all([redis.stop(), cluster.stop()]))
  beforeEach(async () => {
    for (const { port } of [redis, ...cluster.nodes]) {
      const client = await connect(port)
      await client.flushall()
      client.disconnect()
    }
  })

  async function count(trial: Omit<ProcessTrial, 'random'>) {
    const random = new Random()
    const counts = await countInProcesses({ ...trial, random })
    const told = `OUTRIDER_SEED=${random.seed} ${trial.variant} ${JSON.stringify(counts)}`
    process.stderr.write(`staleness: ${told}\n`)
    return { counts, told }
  }

  async function expectNoStaleReadIn(
    { name, servesOld = false }: Variant,
    trial: Pick<ProcessTrial, 'nodes' | 'isCluster'>,
  ) {
    const { counts, told } = await count({ ...trial, variant: name, operations, stopWhenStale: false })
    expect(counts.reads + counts.writes, told).toBeGreaterThanOrEqual(operations)
    // A cache that never keeps or shares anything is never stale either.
    for (const done of ['writes', 'computed', 'hits', 'coalesced', 'refreshed', 'set'] as const) {
      expect(counts[done], told).toBeGreaterThan(0)
    }
    expect(counts.old > 0, told).toBe(servesOld)
    expect(counts.stale, told).toBe(0)
    expect(counts.errors, told).toBe(0)
  }

  it.for(variants)('$name serves nothing stale', limits, async (variant) => {
    await expectNoStaleReadIn(variant, { nodes: [redis], isCluster: false })
  })

  it.for(variants)('$name serves nothing stale in a Cluster', limits, async (variant) => {
    await expectNoStaleReadIn(variant, { nodes: cluster.nodes, isCluster: true })
  })

  // Ends with the first stale read, most often after some thousand operations.
  const search = { operations: 200_000, stopWhenStale: true }

  it.for(brokenVariants)('$name is found out', { timeout: 400_000 }, async ({ name: variant }) => {
    const { counts, told } = await count({ variant, nodes: [redis], isCluster: false, ...search })
    expect(counts.stale, told).toBeGreaterThan(0)
  })
})
