// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSqliteWorkerError, SqliteWorker, type Row, type WriteResult } from '@outrider/sqlite-worker'
import { drizzle } from '@outrider/sqlite-worker/drizzle'
import { SqliteWorkerDialect } from '@outrider/sqlite-worker/kysely'
import { createQueue } from '@outrider/sqlite-worker/queue'
import { killReader, killWriter } from '@outrider/sqlite-worker/testing'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Kysely } from 'kysely'

async function main(folder: string): Promise<void> {
  const worker = new SqliteWorker(join(folder, 'consumer.db'), { synchronous: 'FULL' })
  const created: WriteResult = await worker.execute('CREATE TABLE t (name TEXT UNIQUE)')
  assert.equal(created.changes, 0)
  await Promise.all(['a', 'b'].map((name) => worker.insert('t', { name })))
  const failed = worker.transaction(async (tx) => {
    await tx.insert('t', { name: 'c' })
    await tx.insert('t', { name: 'a' })
  })
  await assert.rejects(failed, (error) => isSqliteWorkerError(error) && error.code === 'ERR_STATEMENT')
  const rows: Row[] = await worker.select('t', { orderBy: '-name' })
  assert.deepEqual(rows, [{ name: 'b' }, { name: 'a' }])

  const names = sqliteTable('t', { rowid: integer().primaryKey(), name: text() })
  assert.deepEqual(await drizzle(worker).select({ name: names.name }).from(names).limit(1), [{ name: 'a' }])
  const kysely = new Kysely<{ t: { name: string } }>({ dialect: new SqliteWorkerDialect({ worker }) })
  assert.deepEqual(await kysely.selectFrom('t').select('name').where('name', '=', 'b').execute(), [
    { name: 'b' },
  ])

  await killWriter(worker)
  await killReader(worker)
  assert.equal((await worker.insert('t', { name: 'after' })).changes, 1)

  const queue = createQueue(worker)
  const consumer = queue.work({ greet: (name) => `Hello ${String(name)}` })
  const { id } = await queue.add('greet', 'Ada')
  assert.equal(await queue.waitFor(id), 'Hello Ada')
  await consumer.close()
  await queue.close()
  await worker.close()
}

const folder = mkdtempSync(join(tmpdir(), 'sqlite-worker-consumer-'))
void main(folder).finally(() => rmSync(folder, { recursive: true }))
