import { expectTypeOf, it } from 'vitest'
import { SqliteWorker, type ReturningResult, type Row, type Token, type WriteResult } from '../src/index.ts'

const worker = new SqliteWorker(':memory:')
interface User {
  readonly email: string
  readonly age: number | null
}
const user: User = { email: 'ada@example.org', age: null }

it('takes rows of an interface, alone or in a list', () => {
  expectTypeOf(worker.insert('users', user)).toEqualTypeOf<Token<WriteResult>>()
  expectTypeOf(worker.insert('users', [user] as const)).toEqualTypeOf<Token<WriteResult>>()
})

it('takes rows whose columns are not known', () => {
  const row: Record<string, string | null> = {}
  expectTypeOf(worker.insert('users', row)).toEqualTypeOf<Token<WriteResult>>()
  expectTypeOf(worker.insert('users', [row], { returning: true })).toEqualTypeOf<Token<ReturningResult>>()
  expectTypeOf(worker.insert<User>('users', [user])).toEqualTypeOf<Token<WriteResult>>()
  // @ts-expect-error a function is no value
  void worker.insert('users', [{ email: () => 'x' }])
  // @ts-expect-error no list of rows
  void worker.insert('users', [1])
})

it('gives rows for certain where they are asked for', () => {
  expectTypeOf(worker.insert('users', user, { returning: true })).toEqualTypeOf<Token<ReturningResult>>()
  expectTypeOf(worker.update('users', { age: 1 }, { age: 2 }, { returning: ['age'] })).toEqualTypeOf<
    Token<ReturningResult>
  >()
  expectTypeOf(worker.delete('users', {}, { all: true })).toEqualTypeOf<Token<WriteResult>>()
  expectTypeOf<ReturningResult['rows']>().toEqualTypeOf<Row[]>()
})

it('wants to know what a conflict does', () => {
  void worker.insert('users', user, { onConflict: 'ignore' })
  void worker.insert('users', user, { onConflict: { columns: 'email', update: true } })
  void worker.insert('users', user, { onConflict: { columns: ['email'], update: { age: null } } })
  // @ts-expect-error neither ignore nor update
  void worker.insert('users', user, { onConflict: { columns: 'email' } })
  // @ts-expect-error both of them
  void worker.insert('users', user, { onConflict: { columns: 'email', ignore: true, update: true } })
  // @ts-expect-error a misspelt option
  void worker.insert('users', user, { onConflcit: 'ignore' })
})

it('takes lists of alternatives, and no comparison with null', () => {
  void worker.select('users', { conditions: [{ email: 'a' }, { age: { gt: 1, lt: 5 } }] })
  void worker.select('users', { conditions: { age: { ne: null } } })
  // @ts-expect-error never matches
  void worker.select('users', { conditions: { age: { gt: null } } })
  // @ts-expect-error an unknown operator
  void worker.select('users', { conditions: { age: { greater: 1 } } })
})
