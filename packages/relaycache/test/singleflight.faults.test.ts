import { setTimeout as elapse } from 'node:timers/promises'
import {
  describeWith,
  eventually,
  spawnChild,
  startRedis,
  startRedisCluster,
  type TestChild,
} from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import type { Job, Report } from './fixtures/singleflight-process.ts'
import { connect } from './redis-clients.ts'
import { useRedisForEach } from './use-redis.ts'

const PROCESSES = 3
/** In each process. */
const CALLERS = 1000
const ROUNDS = process.env['OUTRIDER_FAULTS'] === '1' ? 5 : 1

const timeout = 60_000 * ROUNDS

describeWith('redis', 'distributed singleflight over several processes', () => {
  const server = useRedisForEach()
  let client: Redis
  let children: TestChild[]
  beforeEach(async () => {
    ;({ client } = server)
    await client.set('title', 'Dune')
    children = []
  })
  afterEach(async () => {
    for (const child of children) await child[Symbol.asyncDispose]()
  })

  function start(job: Partial<Job> = {}): TestChild {
    const whole: Job = {
      nodes: [{ host: server.redis.host, port: server.redis.port }],
      truthPort: server.redis.port,
      callers: CALLERS,
      deadline: '30s',
      distLockTtl: 10,
      distLockTimeout: 50,
      ...job,
    }
    const script = new URL('fixtures/singleflight-process.ts', import.meta.url)
    const child = spawnChild(script, { args: [JSON.stringify(whole)] })
    children.push(child)
    return child
  }

  async function report(child: TestChild): Promise<Report> {
    const { code, stdout, stderr } = await child.exited
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout) as Report
  }

  /** Resolves once a run is under way and so many processes wait for it. */
  async function untilWaiting(processes: number, subscribed: Redis = client): Promise<void> {
    await eventually(
      async () => {
        expect(await runs()).toBeGreaterThan(0)
        const channels = (await subscribed.pubsub('CHANNELS', '*:l:*')) as string[]
        const counts = (await subscribed.pubsub('NUMSUB', ...channels)) as (string | number)[]
        expect(counts.filter((_, index) => index % 2 === 1).map(Number)).toEqual([processes])
      },
      { timeoutMs: 40_000 },
    )
  }

  const openGate = async () => client.rpush('gate', 'open')
  const runs = async () => Number(await client.get('runs'))

  /** The process whose run began at this place. */
  async function runner(place: number): Promise<TestChild> {
    const pid = await eventually(async () => (await client.lindex('runners', place)) ?? false, {
      timeoutMs: 40_000,
    })
    return children.find((child) => `${child.pid}` === pid) ?? expect.fail()
  }

  /** A cache like that of the processes, in this one. */
  function openCache() {
    const backend = new RedisCache(client, { deadline: '30s' })
    const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook(_id: number) {
      return 'computed here'
    })
    return { backend, getBook }
  }

  it('runs the function exactly once for all callers of all processes', { timeout }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await client.flushall()
      await client.set('title', 'Dune')
      const started = Array.from({ length: PROCESSES }, () => start())
      await untilWaiting(PROCESSES - 1)
      await openGate()
      const reports = await Promise.all(started.map(report))
      expect(reports.map(({ results }) => results)).toEqual(started.map(() => ({ 'Dune of run 1': CALLERS })))
      expect(await runs()).toBe(1)
      expect(await client.keys('*:l:*')).toEqual([])
    }
  })

  it('runs it exactly once however the processes arrive', { timeout }, async () => {
    await openGate()
    const reports = await Promise.all(Array.from({ length: PROCESSES }, async () => report(start())))
    expect(reports.map(({ results }) => Object.values(results))).toEqual(reports.map(() => [CALLERS]))
    expect(await runs()).toBe(1)
  })

  it('runs it once more when the process that computes is killed', { timeout }, async () => {
    const started = Array.from({ length: PROCESSES }, () => start({ distLockTtl: 1 }))
    await untilWaiting(PROCESSES - 1)
    const holder = await runner(0)
    holder.kill()
    await runner(1)
    await openGate()
    const others = started.filter((child) => child !== holder)
    const reports = await Promise.all(others.map(report))
    expect(reports.map(({ results }) => results)).toEqual(others.map(() => ({ 'Dune of run 2': CALLERS })))
    expect(await runs()).toBe(2)
  })

  it(
    'does not store what a process brings that was blocked for longer than the lock',
    { timeout },
    async () => {
      await openGate()
      const blocked = start({ distLockTtl: '500ms', blockMs: 3000 })
      expect(await runner(0)).toBe(blocked)
      const other = await report(start({ distLockTtl: '500ms' }))
      expect(other.results).toEqual({ 'Dune of run 2': CALLERS })
      expect((await report(blocked)).results).toEqual({ 'Dune of run 1': CALLERS })
      expect(await openCache().getBook.peek(1)).toEqual({ hit: true, value: 'Dune of run 2' })
    },
  )

  it('holds the lock for as long as the function takes', { timeout }, async () => {
    const started = [start({ distLockTtl: 2 }), start({ distLockTtl: 2 })]
    await untilWaiting(1)
    await elapse(5000)
    await openGate()
    for (const child of started) expect((await report(child)).results).toEqual({ 'Dune of run 1': CALLERS })
    expect(await runs()).toBe(1)
  })

  it(
    'lets every process run it once, together, for its thousand callers after it failed in the first',
    { timeout },
    async () => {
      const started = Array.from({ length: PROCESSES }, () => start({ fails: true }))
      await untilWaiting(PROCESSES - 1)
      // The first run ends, the others have to wait for another opening.
      await openGate()
      await eventually(async () => (await client.llen('runners')) > 1, { timeoutMs: 20_000 })
      const reports = await Promise.all(started.map(report))
      expect(reports.map(({ results }) => results)).toEqual(started.map(() => ({ 'No book 1': CALLERS })))
      expect(reports.map(({ runs }) => runs)).toEqual(started.map(() => 1))
      expect(await client.keys('*:l:*')).toEqual([])
    },
  )

  it(
    'gives nobody who comes after an invalidation what was being computed before it',
    { timeout },
    async () => {
      const before = [start(), start()]
      await untilWaiting(1)
      await client.set('title', 'Emma')
      await invalidate({ tags: ['books'], backend: openCache().backend })
      const after = start()
      await eventually(async () => expect(await runs()).toBe(2), { timeoutMs: 40_000 })
      await openGate()
      // a late store of the first run costs one more run at most
      const { results: later } = await report(after)
      expect(Object.entries(later)).toEqual([[expect.stringMatching(/^Emma of run [23]$/), CALLERS]])
      const first = await runner(0)
      for (const child of before) {
        const { results } = await report(child)
        expect(Object.keys(results)).toEqual([
          expect.stringMatching(child === first ? 'Dune of run 1' : 'Emma of run'),
        ])
      }
      expect(await openCache().getBook(1)).not.toContain('Dune')
    },
  )

  it(
    'gives the value to waiters whose connection was killed just before the message',
    { timeout },
    async () => {
      const started = Array.from({ length: PROCESSES }, () => start())
      await untilWaiting(PROCESSES - 1)
      await Promise.all([client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'), openGate()])
      for (const child of started) expect((await report(child)).results).toEqual({ 'Dune of run 1': CALLERS })
      expect(await runs()).toBe(1)
    },
  )

  it('needs no script that Redis remembers', { timeout }, async () => {
    const started = [start(), start()]
    await untilWaiting(1)
    await client.script('FLUSH')
    await openGate()
    for (const child of started) expect((await report(child)).results).toEqual({ 'Dune of run 1': CALLERS })
    expect(await runs()).toBe(1)
  })

  it('gives values when Redis dies while the function runs', { timeout }, async () => {
    await using truth = await startRedis({ args: ['--maxmemory', '0'] })
    const watcher = await connect(truth.port)
    await watcher.set('title', 'Dune')
    const job = { truthPort: truth.port, deadline: '1s', disconnects: true } as const
    const started = [start(job), start(job)]
    await eventually(async () => expect(await waitingIn([server.redis])).toBe(1), { timeoutMs: 40_000 })
    await server.redis.kill('SIGKILL')
    await watcher.rpush('gate', 'open')
    const reports = await Promise.all(started.map(report))
    for (const { results } of reports) expect(Object.values(results)).toEqual([CALLERS])
    watcher.disconnect()
  })

  describe('in a Cluster', () => {
    it('runs the function exactly once for all callers of all processes', { timeout }, async () => {
      await using cluster = await startRedisCluster()
      const started = Array.from({ length: PROCESSES }, () =>
        start({ nodes: cluster.nodes, isCluster: true }),
      )
      await eventually(async () => expect(await waitingIn(cluster.nodes)).toBe(PROCESSES - 1), {
        timeoutMs: 40_000,
      })
      await openGate()
      const reports = await Promise.all(started.map(report))
      expect(reports.map(({ results }) => results)).toEqual(started.map(() => ({ 'Dune of run 1': CALLERS })))
      expect(await runs()).toBe(1)
    })
  })
})

/** How many processes wait for a lock, whichever node they listen to. */
async function waitingIn(nodes: readonly { port: number }[]): Promise<number> {
  let waiting = 0
  for (const { port } of nodes) {
    const node = await connect(port)
    const channels = (await node.pubsub('CHANNELS', '*:l:*')) as string[]
    for (const channel of channels) {
      waiting += Number((await node.pubsub('NUMSUB', channel))[1])
    }
    node.disconnect()
  }
  return waiting
}
