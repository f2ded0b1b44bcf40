import type { Database } from 'better-sqlite3'
import type { BackupProgressMessage } from '../protocol.ts'
import { toFailure } from './failure.ts'

/** Pages between two reports. */
const PAGES = 1000

/** Copies the database as it is at the start into another file, and reports until it is done. Never throws. */
export async function backUp(
  db: Database,
  path: string,
  report: (message: BackupProgressMessage) => void,
): Promise<void> {
  const last = { totalPages: 0, remainingPages: 0 }
  try {
    db.exec('BEGIN')
    db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() // takes the snapshot, so that writers do not restart the copy
    await db.backup(path, {
      progress: ({ totalPages, remainingPages }) => {
        Object.assign(last, { totalPages, remainingPages })
        report({ type: 'backup', ...last, isDone: false })
        return PAGES
      },
    })
    report({ type: 'backup', ...last, remainingPages: 0, isDone: true })
  } catch (error) {
    const failure = toFailure(error)
    // what better-sqlite3 itself refuses is the path
    const kind = failure.kind === 'parameters' ? 'argument' : failure.kind
    report({ type: 'backup', ...last, isDone: true, failure: { ...failure, kind } })
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK')
  }
}
