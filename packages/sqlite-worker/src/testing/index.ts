import { killThreadOf } from '../kill-thread.ts'
import type { SqliteWorker } from '../sqlite-worker.ts'

/** Ends the thread that writes where it stands, as a crash would. Resolves when it is gone; `autoReconnect` starts another. */
export async function killWriter(worker: SqliteWorker): Promise<void> {
  await killThreadOf(worker)('writer')
}

/** Ends a thread that reads where it stands, if there is one. */
export async function killReader(worker: SqliteWorker): Promise<void> {
  await killThreadOf(worker)('reader')
}
