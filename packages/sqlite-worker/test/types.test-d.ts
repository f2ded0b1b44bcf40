import { expectTypeOf, it } from 'vitest'
import { SqliteWorker, type Row, type Token, type WriteResult } from '../src/index.ts'

const worker = new SqliteWorker(':memory:')

it('types the result of execute by the first word of its text', () => {
  expectTypeOf(worker.execute('SELECT 1')).toEqualTypeOf<Token<Row[]>>()
  expectTypeOf(worker.execute(' select 1')).toEqualTypeOf<Token<Row[]>>()
  expectTypeOf(worker.execute('INSERT INTO t VALUES (1)')).toEqualTypeOf<Token<WriteResult>>()
  expectTypeOf(worker.execute('WITH x AS (SELECT 1) SELECT 1')).toEqualTypeOf<Token<Row[] | WriteResult>>()
  expectTypeOf(worker.execute('SELECT 1' as string)).toEqualTypeOf<Token<Row[] | WriteResult>>()
  expectTypeOf(worker.execute<{ n: number }>('SELECT 1')).toEqualTypeOf<Token<{ n: number }[]>>()
})

it('refuses values that SQLite cannot hold, and unknown options', () => {
  // @ts-expect-error a function is no value
  void worker.insert('t', { a: () => 1 })
  // @ts-expect-error undefined is no value
  void worker.execute('SELECT ?', [undefined])
  // @ts-expect-error a misspelt option
  void worker.select('t', { limt: 1 })
  // @ts-expect-error conditions are required
  void worker.delete('t')
  void new SqliteWorker(':memory:', {
    // @ts-expect-error an unknown level
    synchronous: 'SOMETIMES',
  })
})

it('gives a transaction the result of its callback', () => {
  expectTypeOf(worker.transaction(async () => 'x')).toEqualTypeOf<Promise<string>>()
  expectTypeOf(worker.transaction((tx) => tx.transaction(() => 1))).toEqualTypeOf<Promise<number>>()
})
