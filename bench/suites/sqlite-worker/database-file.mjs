import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'

let folder
let count = 0

/**
 * A new database file in WAL mode, which every contender gets to start from. It is on the disk of the temporary
 * folder (set TMPDIR when that is in memory: a commit with synchronous = FULL costs nothing there), and is removed
 * at the end of the process.
 *
 * @param {(db: Database.Database) => void} [fill] creates the tables and rows
 * @returns {string} its path
 */
export function newFile(fill) {
  if (!folder) {
    folder = mkdtempSync(join(tmpdir(), 'bench-sqlite-worker-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  }
  const file = join(folder, `${count++}.db`)
  const db = openInThread(file)
  fill?.(db)
  db.close()
  return file
}

/**
 * better-sqlite3 as its documentation advises: WAL, and prepared statements that are kept.
 *
 * @param {string} file
 * @param {string} [synchronous]
 * @returns {Database.Database}
 */
export function openInThread(file, synchronous = 'NORMAL') {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  return db
}
