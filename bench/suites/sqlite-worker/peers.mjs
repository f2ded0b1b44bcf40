import { createClient } from '@libsql/client'
import { Piscina } from 'piscina'
import sqlite3 from 'sqlite3'

/**
 * node-sqlite3 with promises instead of callbacks.
 *
 * @param {string} file
 * @param {string} [synchronous]
 */
export async function openNodeSqlite3(file, synchronous = 'NORMAL') {
  const call = (target, method, ...args) =>
    new Promise((resolve, reject) => {
      target[method](...args, (error, result) => (error ? reject(error) : resolve(result)))
    })
  const db = new sqlite3.Database(file)
  await call(db, 'exec', `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
  const statements = []
  return {
    /** A statement that is compiled once. */
    prepare(sql) {
      const statement = db.prepare(sql)
      statements.push(statement)
      return {
        run: (...params) => call(statement, 'run', ...params),
        get: (...params) => call(statement, 'get', ...params),
      }
    },
    /**
     * The same statement compiled four times and used in turn: a statement runs one call after another, each with a
     * turn of the event loop in between, while four keep all threads of the pool busy, which doubles the rate.
     */
    prepareForMany(sql) {
      const four = Array.from({ length: 4 }, () => this.prepare(sql))
      let turn = 0
      const next = () => four[(turn = (turn + 1) % four.length)]
      return { run: (...params) => next().run(...params), get: (...params) => next().get(...params) }
    },
    async close() {
      await Promise.all(statements.map((each) => new Promise((resolve) => each.finalize(resolve))))
      await call(db, 'close')
    },
  }
}

/**
 * libsql on a local file. One connection: its calls are synchronous inside, so more of them never run at once, and
 * `synchronous` is a setting of a connection, FULL unless set.
 *
 * @param {string} file
 * @param {string} [synchronous]
 */
export async function openLibsql(file, synchronous = 'NORMAL') {
  const client = createClient({ url: `file:${file}`, concurrency: 1 })
  await client.execute(`PRAGMA synchronous = ${synchronous}`)
  return client
}

/**
 * A piscina pool whose thread runs one statement. The settings are the fastest of those we tried: one thread, since
 * SQLite has one writer, and tasks that wait in the thread instead of outside, which its atomics do not allow.
 *
 * @param {string} file
 * @param {string} sql
 */
export function openPiscina(file, sql) {
  return new Piscina({
    filename: new URL('piscina-thread.mjs', import.meta.url).href,
    name: 'run',
    workerData: { file, sql },
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 100,
    atomics: 'disabled',
  })
}
