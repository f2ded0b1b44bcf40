import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from './concurrency.mjs'
import { newFile, openInThread } from './database-file.mjs'
import { openNaiveWorker } from './naive-worker.mjs'
import { openLibsql, openNodeSqlite3, openPiscina } from './peers.mjs'

const { SqliteWorker } = await ours('sqlite-worker')

const INSERT = 'INSERT INTO page_views (url, at, user_id) VALUES (?, ?, ?)'
const newTable = () =>
  newFile((db) => {
    db.exec('CREATE TABLE page_views (id INTEGER PRIMARY KEY, url TEXT, at TEXT, user_id INTEGER)')
  })
const view = (index) => [`/books/${index}`, '2026-01-01T00:00:00.000Z', index]

/** Each caller's insert is a transaction of its own and is acknowledged on its own, except in the limit. */
export const insertCases = [
  defineCase({
    id: 'insert-concurrent-normal',
    unit: 'op/s',
    step: AT_ONCE,
    ours: oursAtOnce('NORMAL'),
    peers: {
      'better-sqlite3 autocommit': inThread('NORMAL'),
      'node-sqlite3': nodeSqlite3AtOnce('NORMAL'),
      libsql: libsqlAtOnce('NORMAL'),
      piscina: {
        setup: () => openPiscina(newTable(), INSERT),
        run: (operations, pool) => inHundreds(operations, (index) => pool.run(view(index))),
        teardown: (pool) => pool.destroy(),
      },
      'naive worker': {
        setup: () => openNaiveWorker(newTable(), INSERT),
        run: (operations, worker) => inHundreds(operations, (index) => worker.run(view(index))),
        teardown: (worker) => worker.close(),
      },
    },
    limit: { 'one transaction': inThread('NORMAL', (db, insertAll) => db.transaction(insertAll)) },
    floor: {
      'better-sqlite3 autocommit': 1.5,
      'limit: one transaction': 0.25,
      'node-sqlite3': 4,
      libsql: 10,
      piscina: 4,
      'naive worker': 3,
    },
    stretch: {
      'better-sqlite3 autocommit': 4,
      'limit: one transaction': 0.5,
      'node-sqlite3': 10,
      libsql: 30,
      piscina: 10,
      'naive worker': 6,
    },
  }),
  defineCase({
    id: 'insert-concurrent-full',
    unit: 'op/s',
    step: AT_ONCE,
    ours: oursAtOnce('FULL'),
    peers: {
      'better-sqlite3 autocommit': inThread('FULL'),
      'node-sqlite3': nodeSqlite3AtOnce('FULL'),
      libsql: libsqlAtOnce('FULL'), // its own default
    },
    floor: { 'better-sqlite3 autocommit': 5, libsql: 10 },
    stretch: { 'better-sqlite3 autocommit': 12, libsql: 30 },
  }),
  defineCase({
    id: 'insert-sequential',
    unit: 'op/s',
    ours: {
      setup: () => new SqliteWorker(newTable()),
      run: async (operations, worker) => {
        for (let index = 0; index < operations; index += 1) await worker.execute(INSERT, view(index))
      },
      teardown: (worker) => worker.close(),
    },
    peers: {
      'node-sqlite3': {
        setup: async () => {
          const db = await openNodeSqlite3(newTable())
          return { db, insert: db.prepare(INSERT) }
        },
        run: async (operations, { insert }) => {
          for (let index = 0; index < operations; index += 1) await insert.run(view(index))
        },
        teardown: ({ db }) => db.close(),
      },
    },
    limit: { 'better-sqlite3 autocommit': inThread('NORMAL') },
    floor: { 'node-sqlite3': 0.8 },
    stretch: { 'node-sqlite3': 1 },
  }),
]

function oursAtOnce(synchronous) {
  return {
    setup: () => new SqliteWorker(newTable(), { synchronous }),
    run: (operations, worker) => inHundreds(operations, (index) => worker.execute(INSERT, view(index))),
    teardown: (worker) => worker.close(),
  }
}

function nodeSqlite3AtOnce(synchronous) {
  return {
    setup: async () => {
      const db = await openNodeSqlite3(newTable(), synchronous)
      return { db, insert: db.prepareForMany(INSERT) }
    },
    run: (operations, { insert }) => inHundreds(operations, (index) => insert.run(view(index))),
    teardown: ({ db }) => db.close(),
  }
}

function libsqlAtOnce(synchronous) {
  return {
    setup: () => openLibsql(newTable(), synchronous),
    run: (operations, client) =>
      inHundreds(operations, (index) => client.execute({ sql: INSERT, args: view(index) })),
    teardown: (client) => client.close(),
  }
}

/** better-sqlite3 in the caller's own thread: a plain loop, since there is nothing to wait for. */
function inThread(synchronous, wrap = (db, insertAll) => insertAll) {
  return {
    setup: () => {
      const db = openInThread(newTable(), synchronous)
      const insert = db.prepare(INSERT)
      const insertAll = wrap(db, (operations) => {
        for (let index = 0; index < operations; index += 1) insert.run(view(index))
      })
      return { db, insertAll }
    },
    run: (operations, { insertAll }) => insertAll(operations),
    teardown: ({ db }) => db.close(),
  }
}
