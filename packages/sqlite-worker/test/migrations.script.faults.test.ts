import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findForeignKeysPragma, findTransactionControl, statementsOf } from '../src/sql/script.ts'

const cut = (sql: string): string[] =>
  Array.from(statementsOf(sql), ({ start, end }) => sql.slice(start, end))

const trigger = `CREATE TRIGGER log AFTER UPDATE ON t WHEN CASE new.a WHEN 1 THEN 0 ELSE 1 END BEGIN
  UPDATE t SET b = CASE WHEN a > 0 THEN 'x;' ELSE 'END;' END WHERE a = new.a; -- END;
  SELECT 1; /* ; END; */
END`

describe('a script', () => {
  it.each([
    ['a literal', `INSERT INTO t VALUES (';', 'it''s; COMMIT')`],
    ['a quoted name', 'CREATE TABLE "a;""COMMIT;" (`b;`, [c;])'],
    ['a comment', 'SELECT 1 -- ; COMMIT\n + 2 /* ; COMMIT; */ + 3'],
    ['a trigger', trigger],
    ['a temporary trigger', trigger.replace('CREATE', 'create temporary')],
    ['an explained trigger', `EXPLAIN QUERY PLAN ${trigger}`],
  ])('is not cut at a ; within %s', (_, sql) => {
    expect(cut(`${sql};\n${sql}`)).toEqual([sql, sql])
  })

  it('leaves out empty statements, comments at the ends, and byte order marks', () => {
    expect(cut('\uFEFF;; -- a\n ;/* b */ SELECT 1 ; \n;\uFEFF-- c')).toEqual(['SELECT 1'])
    expect(cut('')).toEqual([])
    expect(cut('/* never closed ; COMMIT')).toEqual([])
  })

  it('goes on after a trigger', () => {
    expect(cut(`${trigger}; COMMIT; ${trigger};`)).toEqual([trigger, 'COMMIT', trigger])
  })
})

describe('transaction control', () => {
  it.each(['BEGIN', 'commit', 'End', 'ROLLBACK', 'savepoint a', 'RELEASE a', 'BEGIN IMMEDIATE'])(
    'is found at the level of statements, with its line: %s',
    (sql) => {
      const keyword = sql.split(' ')[0]?.toUpperCase()
      expect(findTransactionControl(`SELECT 1;\n-- ;\n/**/${sql}; SELECT 2`)).toEqual({ keyword, line: 3 })
      expect(findTransactionControl(`\uFEFF${sql}`)).toEqual({ keyword, line: 1 })
    },
  )

  it.each([
    trigger,
    'EXPLAIN COMMIT',
    `SELECT 'COMMIT;'`,
    'ALTER TABLE t RENAME COLUMN "commit" TO begun',
    'CREATE TABLE t (a REFERENCES b DEFERRABLE INITIALLY DEFERRED, b UNIQUE ON CONFLICT ROLLBACK)',
    'INSERT OR ROLLBACK INTO t VALUES (1)',
  ])('is not seen where there is none: %s', (sql) => {
    expect(findTransactionControl(`${sql}; SELECT 1`)).toBeUndefined()
  })
})

describe('PRAGMA foreign_keys', () => {
  it.each([
    'PRAGMA foreign_keys = OFF',
    'pragma foreign_keys(0)',
    'PRAGMA main . "foreign_keys"=1',
    'PRAGMA [foreign_keys] /* a */ = no',
  ])('is found where it is set: %s', (sql) => {
    expect(findForeignKeysPragma(`SELECT 1;\n${sql};`)).toEqual({ keyword: 'PRAGMA foreign_keys', line: 2 })
  })

  it.each(['PRAGMA foreign_keys', 'PRAGMA defer_foreign_keys = ON', 'PRAGMA foreign_key_check(t)'])(
    'is not seen where there is none: %s',
    (sql) => {
      expect(findForeignKeysPragma(`${sql};`)).toBeUndefined()
    },
  )
})

describe('any script', { timeout: 600_000 }, () => {
  const numRuns = process.env.OUTRIDER_FAULTS ? 50_000 : 1000
  const seed = Number(process.env.OUTRIDER_SEED ?? Date.now() % 2 ** 31)

  const statement = fc.constantFrom(
    trigger,
    trigger.replace('CREATE', 'CREATE TEMP').replaceAll('\n', ' \r\n--END;\n'),
    `EXPLAIN ${trigger}`,
    `INSERT INTO t VALUES ('a;b', 1)`,
    'SELECT a, [b] AS [x;y], `b` AS "END;" FROM t -- it;s\n WHERE a <> 1',
    `CREATE TABLE "tri;gger" (b DEFAULT ';', c CHECK (CASE c WHEN ';' THEN 0 ELSE 1 END))`,
    `SELECT x'3b', 1e5, 0x3b, '', '''', ';''', $a, @b, ?1, :c, (';')`,
    'SELECT CASE WHEN 1 THEN 2 END',
    'COMMIT',
  )
  const gap = fc.constantFrom('', ' ', '\n', '-- ; END\n', '/* ; \' " */', ' \uFEFF')

  it('that is valid is cut into the statements that SQLite sees', () => {
    process.stderr.write(`scripts: OUTRIDER_SEED=${seed} ${numRuns} runs\n`)
    const db = new Database(':memory:')
    db.exec('CREATE TABLE t (a, b)')
    const property = fc.property(fc.array(fc.tuple(gap, statement, gap), { maxLength: 6 }), (parts) => {
      const script = parts.map(([before, sql, after]) => `${before}${sql}${after};`).join('')
      const found = cut(script)
      expect(found).toHaveLength(parts.length)
      for (const sql of found) db.prepare(sql) // throws for more than one statement
    })
    fc.assert(property, { seed, numRuns })
    db.close()
  })

  const marks = `' " \` [ ] ( ) ; , @ $a( -- /* */ 1 a 'x'`.split(' ')
  const words =
    'COMMIT|END|ROLLBACK|CASE | BEGIN |EXPLAIN |TEMP |TRIGGER |CREATE |SELECT 1|SELECT | AS |; '.split('|')
  const whiteSpace = [' ', '\n', '\v', '\r', '\uFEFF', '\u00A0', '\u2028']
  const opening = 'CREATE TRIGGER x AFTER INSERT ON t BEGIN '
  const fragment = fc.constantFrom(...marks, ...words, ...whiteSpace, opening)

  it('that is not refused ends no transaction', () => {
    const db = new Database(':memory:')
    db.exec('CREATE TABLE t (a, b)')
    let refused = 0
    const property = fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
      const script = parts.join('')
      db.exec('BEGIN')
      try {
        db.exec(script)
      } catch {
        // no valid SQL, most often
      }
      const wasEnded = !db.inTransaction
      if (!wasEnded) db.exec('ROLLBACK')
      if (wasEnded) refused += 1
      expect(wasEnded && !findTransactionControl(script)).toBe(false)
    })
    fc.assert(property, { seed, numRuns: 20 * numRuns })
    expect(refused).toBeGreaterThan(0)
    db.close()
  })
})
