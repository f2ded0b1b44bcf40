import assert from 'node:assert/strict'
import { isSqliteWorkerError, type SqliteWorker } from '../../src/index.ts'

/** A file system, or a limit, that is too small. */
export interface SmallDisk {
  readonly worker: SqliteWorker
  /** The code that SQLite gives for it. */
  readonly code: 'SQLITE_FULL' | 'SQLITE_IOERR_WRITE'
  /** How many kilobytes are surely too many. */
  readonly kilobytes: number
  readonly makeRoom: () => Promise<unknown>
}

/**
 * Fills a disk in every way in which rows are written, and makes room: whatever was acknowledged stays, whatever was
 * rejected says why and is not there, and writes go on. Ends with the file open.
 */
export async function fillDisk({ worker, code, kilobytes, makeRoom }: SmallDisk): Promise<void> {
  const acknowledged: number[] = []
  const expectCode = (error: unknown): void => {
    assert.ok(isSqliteWorkerError(error) && error.code === 'ERR_STATEMENT', String(error))
    assert.equal('sqliteCode' in error && error.sqliteCode, code)
  }
  const expectRows = async (): Promise<void> => {
    const rows = await worker.execute<{ n: number; size: number }>(
      'SELECT n, length(data) AS size FROM t ORDER BY n',
    )
    assert.deepEqual(
      rows,
      acknowledged.toSorted((a, b) => a - b).map((n) => ({ n, size: 1024 })),
    )
  }
  let last = 0
  const nextRow = (): { n: number; data: Uint8Array } => ({ n: ++last, data: new Uint8Array(1024) })
  const insert = async (): Promise<void> => {
    const row = nextRow()
    await worker.insert('t', row)
    acknowledged.push(row.n)
  }

  await worker.execute('CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)')
  for (let i = 0; i < 20; i++) await insert()

  // a transaction that does not fit: nothing of it stays, also when its callback hides the error
  for (const hides of [false, true]) {
    const failed = worker.transaction(async (tx) => {
      for (let i = 0; i < kilobytes; i++) {
        const token = tx.insert('t', nextRow())
        await (hides ? token.catch(() => {}) : token)
      }
    })
    await assert.rejects(failed, (error) => (expectCode(error), true))
    await expectRows()
  }

  // a statement that does not fit
  const rows = Array.from({ length: kilobytes }, nextRow)
  await assert.rejects(
    async () => worker.insert('t', rows),
    (error) => (expectCode(error), true),
  )
  await expectRows()

  // many callers at once, of whom some fit
  let refused = 0
  const refuse = (error: unknown): void => {
    expectCode(error)
    refused += 1
  }
  await Promise.all(Array.from({ length: kilobytes }, () => insert().catch(refuse)))
  assert.ok(refused > 0, 'it all fitted')
  await expectRows()

  // one after another, until the disk is full again
  for (let i = 0; i < kilobytes; i++) {
    const before = refused
    await insert().catch(refuse)
    if (refused > before) break
  }
  await expectRows()

  await makeRoom()
  for (let i = 0; i < 20; i++) await insert()
  await Promise.all(Array.from({ length: 100 }, insert))
  await worker.transaction(async (tx) => {
    const row = nextRow()
    await tx.insert('t', row)
    acknowledged.push(row.n)
  })
  await expectRows()
  const [check] = await worker.execute<{ integrity_check: string }>('PRAGMA integrity_check')
  assert.equal(check?.integrity_check, 'ok')
}
