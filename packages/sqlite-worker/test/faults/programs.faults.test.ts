import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SqliteWorkerOptions } from '../../src/index.ts'
import { openWorker } from '../fixture.ts'
import { expectSame } from './expect-same.ts'
import { Model } from './model.ts'
import { deferredSchema, program, schema, tables, type Program } from './program.ts'
import { runOnWorker } from './run-on-worker.ts'
import { seedOf, sized } from './size.ts'

const variants: readonly [string, readonly string[], SqliteWorkerOptions][] = [
  ['with readers', schema, { readers: 2 }],
  ['without readers, in small groups', schema, { readers: 0, maxCount: 3 }],
  ['with a key that is checked at COMMIT', deferredSchema, { readers: 1 }],
]

it.each(variants)(
  'concurrent programs do what they would do one after another: %s',
  { timeout: 170_000 },
  async (name, sqls, options) => {
    const seed = seedOf(`programs ${name}`)
    const numRuns = sized(100, 3000)
    const late: unknown[] = []
    const worker = openWorker({ ...options, onUnobservedError: (error) => late.push(error) })
    await worker.executeScript(sqls.join(';\n'))
    const model = new Model(sqls)
    const empty = tables.filter((table) => sqls.some((sql) => sql.startsWith(`CREATE TABLE ${table} `)))
    const property = fc.asyncProperty(program, async (clients: Program) => {
      for (const table of empty) {
        await worker.execute(`DELETE FROM ${table}`)
        model.run({ kind: 'run', statement: { sql: `DELETE FROM ${table}`, params: [] }, isAwaited: true })
      }
      const log = await runOnWorker(worker, clients)
      expectSame(model, log, options.readers !== 0)
      for (const table of empty) {
        const sql = `SELECT * FROM ${table} ORDER BY rowid`
        expect(await worker.execute(sql)).toEqual(model.query(sql))
      }
    })
    await fc.assert(property, { seed, numRuns })
    model.close()
    expect(late).toEqual([])
  },
)
