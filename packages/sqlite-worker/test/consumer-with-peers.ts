// What a user writes who has the optional peers, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import { SqliteWorker } from '@outrider/sqlite-worker'
import { drizzle } from '@outrider/sqlite-worker/drizzle'
import { SqliteWorkerDialect } from '@outrider/sqlite-worker/kysely'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Kysely } from 'kysely'

const names = sqliteTable('names', { name: text() })

async function main(): Promise<void> {
  const worker = new SqliteWorker(':memory:')
  await worker.execute('CREATE TABLE names (name TEXT)')
  const db = drizzle(worker)
  await db.insert(names).values([{ name: 'a' }, { name: 'b' }])
  assert.deepEqual(await db.select().from(names).limit(1), [{ name: 'a' }])
  const kysely = new Kysely<{ names: { name: string } }>({ dialect: new SqliteWorkerDialect({ worker }) })
  const query = kysely.selectFrom('names').select('name').where('name', '=', 'b')
  assert.deepEqual(await query.execute(), [{ name: 'b' }])
  await worker.close()
}

void main()
