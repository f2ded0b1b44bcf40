import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from './concurrency.mjs'
import { newFile, openInThread } from './database-file.mjs'
import { loopDelayDuring } from './event-loop.mjs'
import { openNodeSqlite3 } from './peers.mjs'

const { SqliteWorker } = await ours('sqlite-worker')

const ROWS = 100_000
const BY_ID = 'SELECT * FROM books WHERE id = ?'
const ALL = 'SELECT * FROM books'

/** 100 000 rows of 6 columns. */
const newBooks = () =>
  newFile((db) => {
    db.exec(`CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author TEXT, year INTEGER, price REAL, note TEXT);
      WITH RECURSIVE ids(id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM ids WHERE id < ${ROWS})
      INSERT INTO books
      SELECT id, 'Title of book ' || id, 'Author ' || (id % 1000), 1900 + id % 100, id / 7.0, NULL FROM ids`)
  })
const idOf = (index) => ((index * 7919) % ROWS) + 1

const readAllOnce = {
  setup: () => new SqliteWorker(newBooks()),
  teardown: (worker) => worker.close(),
}

export const readCases = [
  defineCase({
    id: 'read-pk-concurrent',
    unit: 'op/s',
    step: AT_ONCE,
    ours: {
      setup: () => new SqliteWorker(newBooks(), { readers: 2 }),
      run: (operations, worker) => inHundreds(operations, (index) => worker.execute(BY_ID, [idOf(index)])),
      teardown: (worker) => worker.close(),
    },
    peers: {
      'node-sqlite3': {
        setup: async () => {
          const db = await openNodeSqlite3(newBooks())
          return { db, byId: db.prepareForMany(BY_ID) }
        },
        run: (operations, { byId }) => inHundreds(operations, (index) => byId.get([idOf(index)])),
        teardown: ({ db }) => db.close(),
      },
    },
    limit: {
      'better-sqlite3 in-thread': {
        setup: () => {
          const db = openInThread(newBooks())
          return { db, byId: db.prepare(BY_ID) }
        },
        run: (operations, { byId }) => {
          let sum = 0
          for (let index = 0; index < operations; index += 1) sum += byId.get(idOf(index)).year
          return sum
        },
        teardown: ({ db }) => db.close(),
      },
    },
    floor: { 'node-sqlite3': 2 },
    stretch: { 'node-sqlite3': 4 },
  }),
  defineCase({
    id: 'read-large',
    unit: 'ms',
    maxOperations: 1,
    ours: {
      ...readAllOnce,
      run: async (_, worker) => expectAll(await worker.execute(ALL)),
    },
    peers: {
      'better-sqlite3 .all()': {
        setup: () => {
          const db = openInThread(newBooks())
          return { db, all: db.prepare(ALL) }
        },
        run: (_, { all }) => expectAll(all.all()),
        teardown: ({ db }) => db.close(),
      },
    },
    floor: { 'better-sqlite3 .all()': 0.7 },
    stretch: { 'better-sqlite3 .all()': 1 },
    metrics: {
      'main loop p99': {
        ...readAllOnce,
        measure: async (worker) => (await loopDelayDuring(() => worker.execute(ALL))).p99Ms,
      },
    },
    limits: [{ metric: 'main loop p99', op: '<=', value: 15, unit: 'ms' }],
  }),
]

/** @param {{title: string}[]} rows */
function expectAll(rows) {
  if (rows.length !== ROWS || rows.at(-1).title !== `Title of book ${ROWS}`)
    throw new Error('Rows are missing')
}
