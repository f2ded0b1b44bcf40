import Database from 'better-sqlite3'
import type { ThreadConfig } from '../protocol.ts'
import { statementsOf } from '../sql/script.ts'
import { isBusy, NATIVE_WAIT_MS, type BusyRetry } from './busy.ts'

/** Opens the connection of a thread and runs `executeInit` on it. @throws what SQLite throws, with nothing left open. */
export function openDatabase(config: ThreadConfig, busy: BusyRetry): Database.Database {
  const timeout = Math.min(config.busyTimeoutMs, NATIVE_WAIT_MS)
  const { readonly } = config
  busy.start()
  return busy.run(() => {
    const db = new Database(config.file, { timeout, readonly, fileMustExist: readonly })
    try {
      if (!readonly) db.pragma('journal_mode = WAL')
      db.pragma(`synchronous = ${config.synchronous}`)
      for (const sql of config.executeInit) {
        if (readonly) applyPragmas(db, sql)
        else db.exec(sql)
      }
      return db
    } catch (error) {
      db.close()
      throw error
    }
  })
}

/** A reader needs the settings of its own connection; all else the writer did before it, settings of the file too. */
function applyPragmas(db: Database.Database, script: string): void {
  for (const { head, start, end } of statementsOf(script)) {
    if (head[0]?.toUpperCase() !== 'PRAGMA') continue
    try {
      db.exec(script.slice(start, end))
    } catch (error) {
      if (isBusy(error)) throw error // another one that the writer could set needs to write
    }
  }
}
