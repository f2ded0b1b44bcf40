import { eventually } from '@outrider/test-kit'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { SqliteWorker, SqliteWorkerOptions } from '../../src/index.ts'
import { openWorker } from '../fixture.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

const never = new Promise<never>(() => {})
const timedOut = { code: 'ERR_TRANSACTION_TIMEOUT' }

async function openTable(options: SqliteWorkerOptions = {}): Promise<SqliteWorker> {
  const worker = openWorker(options)
  await worker.execute('CREATE TABLE t (n INT)')
  return worker
}

describe('a transaction that never ends', () => {
  it('is rolled back by its timeout, and all that waited for it runs', async () => {
    const worker = await openTable()
    const stuck = worker.transaction(
      async (tx) => {
        await tx.insert('t', { n: -1 })
        await never
      },
      { timeoutMs: 30 },
    )
    const others = [
      ...Array.from({ length: 1000 }, (_, n) => worker.insert('t', { n })),
      worker.transaction(async (tx) => (await tx.select('t')).length),
    ]
    await expect(stuck).rejects.toMatchObject(timedOut)
    expect((await Promise.all(others)).at(-1)).toBe(1000)
    expect(await worker.execute('SELECT COUNT(*) AS n FROM t WHERE n = -1')).toEqual([{ n: 0 }])
  })

  it('before its first statement, or within a nested one, holds nobody up either', async () => {
    const worker = await openTable()
    const idle = worker.transaction(() => never, { timeoutMs: 20 })
    const nested = worker.transaction(
      async (tx) => {
        await tx.insert('t', { n: 1 })
        await tx.transaction(async (inner) => {
          await inner.insert('t', { n: 2 })
          await never
        })
      },
      { timeoutMs: 20 },
    )
    const last = worker.insert('t', { n: 3 })
    await expect(idle).rejects.toMatchObject(timedOut)
    await expect(nested).rejects.toMatchObject(timedOut)
    await last
    expect(await worker.select('t')).toEqual([{ n: 3 }])
  })

  it('does not keep close from ending', async () => {
    const worker = await openTable()
    const stuck = worker.transaction((tx) => tx.insert('t', { n: 1 }).then(() => never), { timeoutMs: 20 })
    const closed = worker.close()
    await expect(stuck).rejects.toMatchObject(timedOut)
    await closed
  })

  it('begun by hand and never ended is rolled back as well, and says so at once, and to whoever comes back to it', async () => {
    const unobserved: unknown[] = []
    const worker = await openTable({ onUnobservedError: (error) => unobserved.push(error) })
    const tx = await worker.beginTransaction({ timeoutMs: 20 })
    await tx.insert('t', { n: 1 })
    await worker.insert('t', { n: 2 }) // waits for the timeout
    await eventually(() => expect(unobserved).toMatchObject([timedOut]))
    await expect(tx.insert('t', { n: 3 })).rejects.toMatchObject({ name: 'TransactionError' })
    await expect(tx.commit()).rejects.toMatchObject({ name: 'TransactionError' })
    expect(await worker.select('t')).toEqual([{ n: 2 }])
  })
})

it(
  'among many transactions, those that never end go alone, and the others are whole',
  {
    timeout: 180_000,
  },
  async () => {
    const random = new Random(seedOf('unfinished transactions'))
    const late: unknown[] = [] // of callbacks that go on after their timeout
    const worker = await openTable({ onUnobservedError: (error) => late.push(error) })
    await worker.execute('CREATE TABLE parts (n INT, part INT)')
    const expected: number[] = []
    const run = async (n: number): Promise<void> => {
      const isStuck = random.chance(0.1)
      const pause = random.below(4)
      const done = worker.transaction(
        async (tx) => {
          for (let part = 0; part < 3; part++) {
            const token = tx.insert('parts', { n, part })
            if (random.chance(0.5)) await token
            if (part < pause) await sleep(0)
            else if (isStuck) await never
          }
          if (isStuck) await never
        },
        isStuck ? { timeoutMs: 5 } : {},
      )
      if (isStuck) await expect(done).rejects.toMatchObject(timedOut)
      else await done.then(() => expected.push(n))
    }
    const total = sized(200, 10_000)
    await Promise.all(
      Array.from({ length: total }, (_, n) => (n % 4 === 0 ? worker.insert('t', { n }) : run(n))),
    )
    const rows = await worker.execute<{ n: number }>(
      'SELECT n FROM parts GROUP BY n HAVING COUNT(*) = 3 ORDER BY n',
    )
    expect(rows.map(({ n }) => n)).toEqual(expected.toSorted((a, b) => a - b))
    expect(await worker.execute('SELECT COUNT(*) AS n FROM parts')).toEqual([{ n: 3 * expected.length }])
    expect(await worker.execute('SELECT COUNT(*) AS n FROM t')).toEqual([{ n: total / 4 }])
    for (const error of late) expect(error).toMatchObject({ code: 'ERR_TRANSACTION_ENDED' })
  },
)
