import Database from 'better-sqlite3'
import type { ThreadConfig } from '../protocol.ts'
import { statementsOf } from '../sql/script.ts'
import { isBusy, NATIVE_WAIT_MS, type BusyRetry } from './busy.ts'

/**
 * Opens the connection of a thread and runs `executeInit` on it. A statement that finds a lock is run again alone: what
 * came before it has happened. @throws what SQLite throws, with nothing left open.
 */
export function openDatabase(config: ThreadConfig, busy: BusyRetry): Database.Database {
  busy.start()
  const db = busy.run(() => openFile(config))
  try {
    for (const script of config.executeInit) runScript(db, script, busy)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function openFile({ file, readonly, synchronous, busyTimeoutMs }: ThreadConfig): Database.Database {
  const timeout = Math.min(busyTimeoutMs, NATIVE_WAIT_MS)
  const db = new Database(file, { timeout, readonly, fileMustExist: readonly })
  try {
    if (!readonly) db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${synchronous}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** A reader needs the settings of its own connection; all else the writer did before it, settings of the file too. */
function runScript(db: Database.Database, script: string, busy: BusyRetry): void {
  for (const { head, start, end } of statementsOf(script)) {
    if (db.readonly && head[0]?.toUpperCase() !== 'PRAGMA') continue
    try {
      busy.run(() => db.exec(script.slice(start, end)))
    } catch (error) {
      if (!db.readonly || isBusy(error)) throw error // another one that the writer could set needs to write
    }
  }
}
