// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSqliteWorkerError, SqliteWorker, type Row, type WriteResult } from '@outrider/sqlite-worker'
import { createQueue } from '@outrider/sqlite-worker/queue'
import { killReader, killWriter } from '@outrider/sqlite-worker/testing'

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
