import { Kysely } from 'kysely'
import { expectTypeOf, it } from 'vitest'
import { SqliteWorker } from '../src/index.ts'
import { SqliteWorkerDialect } from '../src/kysely/index.ts'
import type { Database } from './fixtures/kysely-schema.ts'

const worker = new SqliteWorker(':memory:')
const db = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ worker }) })

it('infers rows', async () => {
  expectTypeOf(await db.selectFrom('person').select(['id', 'age']).execute()).toEqualTypeOf<
    { id: number; age: number | null }[]
  >()
  const inserted = await db.insertInto('person').values({ first_name: 'a', age: 1 }).executeTakeFirst()
  expectTypeOf(inserted.insertId).toEqualTypeOf<bigint | undefined>()
})

it('takes a worker, or a file and options', () => {
  void new SqliteWorkerDialect({ file: 'x', options: { synchronous: 'FULL' } })
  // @ts-expect-error an unknown level
  void new SqliteWorkerDialect({ file: 'x', options: { synchronous: 'SOMETIMES' } })
  // @ts-expect-error neither
  void new SqliteWorkerDialect({})
  // @ts-expect-error not a worker
  void new SqliteWorkerDialect({ worker: {} })
})
