import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Token } from '../src/index.ts'
import { seedOf, sized } from './faults/size.ts'
import { openWorker } from './fixture.ts'

const schema = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, n INTEGER CHECK (n < 90))',
  `CREATE TRIGGER kill BEFORE INSERT ON t WHEN new.a = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'killed'); END`,
  `CREATE TRIGGER half BEFORE INSERT ON t WHEN new.a = 'fail' BEGIN SELECT RAISE(FAIL, 'failed'); END`,
]

const letter = fc.constantFrom('a', 'b', 'c', 'd', 'rollback', 'fail')
const statement = fc.oneof(
  fc.record({ sql: fc.constant('INSERT INTO t (a, n) VALUES (?, ?)'), params: fc.tuple(letter, fc.nat(99)) }),
  fc.record({
    sql: fc.constant("INSERT INTO t (a) VALUES (?), ('x'), (?)"),
    params: fc.tuple(letter, letter),
  }),
  fc.record({ sql: fc.constant('INSERT OR ROLLBACK INTO t (a, n) VALUES (?, 1)'), params: fc.tuple(letter) }),
  fc.record({ sql: fc.constant('UPDATE t SET n = n + ?'), params: fc.tuple(fc.nat(60)) }),
  fc.record({ sql: fc.constant('DELETE FROM t WHERE a = ?'), params: fc.tuple(letter) }),
  fc.record({ sql: fc.constant('UPDATE t SET n = 1 WHERE a = ? RETURNING id, a'), params: fc.tuple(letter) }),
  fc.record({ sql: fc.constant('SELECT a, n FROM t ORDER BY id'), params: fc.constant([]) }),
)

type Step = { sql: string; params: readonly (string | number)[] }

/** What SQLite itself answers when every statement runs alone on one connection. */
function alone(db: Database.Database, { sql, params }: Step): unknown {
  const prepared = db.prepare(sql)
  try {
    if (!prepared.reader) {
      const { changes, lastInsertRowid } = prepared.run(...params)
      return { changes, lastInsertRowid: changes > 0 && sql.startsWith('INSERT') ? lastInsertRowid : 0 }
    }
    const rows = prepared.all(...params)
    return prepared.readonly ? rows : rows.length
  } catch (error) {
    return error instanceof Database.SqliteError ? error.code : error
  }
}

async function outcome(token: Token<unknown>): Promise<unknown> {
  try {
    const result = await token
    return typeof result === 'object' && result !== null && 'rows' in result
      ? (result.rows as unknown[]).length
      : result
  } catch (error) {
    return (error as { sqliteCode?: string }).sqliteCode
  }
}

describe('group commit', () => {
  const numRuns = sized(100, 20_000)

  it('gives every statement the outcome it would have had alone', { timeout: 180_000 }, async () => {
    const seed = seedOf('group commit')
    const worker = openWorker({ consistency: 'writer' }) // reads in line with the writes
    const db = new Database(':memory:')
    for (const sql of schema) {
      await worker.execute(sql)
      db.exec(sql)
    }
    const property = fc.asyncProperty(fc.array(statement, { maxLength: 40 }), async (steps) => {
      void worker.execute('DELETE FROM t')
      db.exec('DELETE FROM t')
      const actual = await Promise.all(steps.map(({ sql, params }) => outcome(worker.execute(sql, params))))
      expect(actual).toEqual(steps.map((step) => alone(db, step)))
      expect(await worker.execute('SELECT * FROM t ORDER BY id')).toEqual(
        db.prepare('SELECT * FROM t ORDER BY id').all(),
      )
    })
    await fc.assert(property, { seed, numRuns })
    db.close()
  })
})
