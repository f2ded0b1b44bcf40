import { setTimeout as work } from 'node:timers/promises'
import { describeWith, eventually, startRedisCluster, type TestRedisCluster } from '@outrider/test-kit'
import type { Cluster } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { RedisCache } from '../src/redis/index.ts'
import { enterShop, isConfirmed, openShop } from './book-shop.ts'
import { moveSlot, type Master } from './move-slot.ts'
import { Random } from './random.ts'
import { connect, connectCluster } from './redis-clients.ts'

const MOVES = process.env['OUTRIDER_FAULTS'] === '1' ? 200 : 30
const ROWS = 6

describeWith('redis', 'values in a RedisCache on a Cluster', () => {
  let nodes: TestRedisCluster
  let masters: Master[]
  let clients: Cluster[]
  beforeEach(async () => {
    nodes = await startRedisCluster()
    masters = await Promise.all(
      nodes.nodes.map(async ({ host, port }) => ({ host, port, client: await connect(port) })),
    )
    clients = await Promise.all([connectCluster(nodes.nodes), connectCluster(nodes.nodes)])
  })
  afterEach(async () => {
    for (const client of [...clients, ...masters.map(({ client }) => client)]) client.disconnect()
    await nodes.stop()
  })

  it('are never stale while slots move from master to master under load', { timeout: 120_000 }, async () => {
    const random = new Random()
    const versions = Array.from({ length: ROWS }, () => 0)
    const confirmed = [...versions]
    const counts = { reads: 0, hits: 0, stale: 0, confirmed: 0, unconfirmed: 0 }
    const causes = new Set<string>()
    const [first, ...others] = clients.map((client) => {
      const backend = new RedisCache(client, {
        deadline: '10s',
        invalidateDeadline: '10s',
        onError: ({ message, cause }) => causes.add(cause instanceof Error ? cause.message : message),
      })
      const read = cache(
        { ttl: 60, backend, tags: (row: number) => [`row:${row}`, 'all'] },
        async function read(row: number) {
          const version = versions[row] ?? 0
          await work(random.below(4))
          return version
        },
      )
      return { backend, read }
    })
    const writing = first ?? expect.fail()
    const load = { isOn: true }
    const keepReading = async ({ read }: typeof writing) => {
      while (load.isOn) {
        const row = random.below(ROWS)
        const floor = confirmed[row] ?? 0
        const { value, status } = await read.lookup(row)
        counts.reads += 1
        if (status === 'hit') counts.hits += 1
        if (value < floor) counts.stale += 1
        if (random.below(8) === 0) await work(random.below(3))
      }
    }
    const keepWriting = async () => {
      while (load.isOn) {
        const row = random.below(ROWS)
        const version = (versions[row] ?? 0) + 1
        versions[row] = version
        const tag = random.below(4) === 0 ? 'all' : `row:${row}`
        if (await isConfirmed(invalidate({ tags: [tag], backend: writing.backend }))) {
          counts.confirmed += 1
          confirmed[row] = version
        } else counts.unconfirmed += 1
        await work(random.below(10))
      }
    }
    const slotOf = async (name: string) => masters[0]?.client.cluster('KEYSLOT', name)
    const keepMoving = async () => {
      const names = [
        'relaycache:meta:n:relaycache:',
        'relaycache:meta:t:all',
        ...versions.flatMap((_, row) => [
          `relaycache:meta:t:row:${row}`,
          `relaycache:{${writing.read.keyOf(row)}}`,
        ]),
      ]
      const slots = await Promise.all(names.map(slotOf))
      for (let move = 0; move < MOVES; move += 1) {
        const slot = slots[random.below(slots.length)] ?? expect.fail()
        await moveSlot(masters, slot, masters[random.below(masters.length)] ?? expect.fail())
      }
    }
    const readers = [writing, ...others].flatMap((each) => [each, each, each])
    await Promise.all([
      ...readers.map(keepReading),
      keepWriting(),
      keepMoving().finally(() => (load.isOn = false)),
    ])

    const told = `OUTRIDER_SEED=${random.seed} ${JSON.stringify(counts)} ${[...causes].join(', ')}`
    process.stderr.write(`slot moves: ${told}\n`)
    expect(counts.stale, told).toBe(0)
    expect(counts.hits, told).toBeGreaterThan(0)
    expect(counts.confirmed, told).toBeGreaterThan(0)
    for (let row = 0; row < ROWS; row += 1) {
      await eventually(async () => {
        expect(await writing.read.lookup(row)).toEqual({ value: versions[row], status: 'hit' })
      })
    }
  })

  it('are computed anew when the loss of a master stops the Cluster, and invalidations reject', async () => {
    const shop = openShop()
    const options = { deadline: '500ms', invalidateDeadline: '200ms' } as const
    const { backend, getBook } = enterShop(shop, clients[0] ?? expect.fail(), options)
    await eventually(async () => expect((await getBook.lookup(1)).status).toBe('hit'))
    await nodes.killNode(0)
    const [, survivor] = masters
    await eventually(
      async () => expect(await survivor?.client.cluster('INFO')).toContain('cluster_state:fail'),
      { timeoutMs: 30_000 },
    )
    shop.title = 'Emma'
    expect(await isConfirmed(invalidate({ tags: ['books'], backend }))).toBe(false)
    expect(await getBook.lookup(1)).toEqual({ value: 'Emma', status: 'miss' })
    expect(await getBook.peek(1)).toEqual({ hit: false })
  })
})
