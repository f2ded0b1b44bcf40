import { sql } from 'drizzle-orm'
import { drizzle as drizzleInThread } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from './concurrency.mjs'
import { newFile, openInThread } from './database-file.mjs'

const { SqliteWorker } = await ours('sqlite-worker')
const { drizzle } = await ours('sqlite-worker/drizzle')

const pageViews = sqliteTable('page_views', {
  id: integer().primaryKey(),
  url: text().notNull(),
  at: text().notNull(),
  userId: integer('user_id').notNull(),
})
const schema = { pageViews }
const newTable = () =>
  newFile((db) => {
    db.exec(
      'CREATE TABLE page_views (id INTEGER PRIMARY KEY, url TEXT NOT NULL, at TEXT NOT NULL, user_id INTEGER NOT NULL)',
    )
  })
const view = (index) => ({ url: `/books/${index}`, at: '2026-01-01T00:00:00.000Z', userId: index })
const prepareInsert = (db) =>
  db
    .insert(pageViews)
    .values({ url: sql.placeholder('url'), at: sql.placeholder('at'), userId: sql.placeholder('userId') })
    .prepare()

const onWorker = {
  setup: () => {
    const worker = new SqliteWorker(newTable())
    const db = drizzle(worker, { schema })
    return { worker, db, insert: prepareInsert(db) }
  },
  teardown: ({ worker }) => worker.close(),
}

const inThread = {
  setup: () => {
    const client = openInThread(newTable())
    const db = drizzleInThread(client, { schema })
    return { client, db, insert: prepareInsert(db) }
  },
  teardown: ({ client }) => client.close(),
}

export const drizzleCases = [
  defineCase({
    id: 'drizzle-insert',
    unit: 'op/s',
    step: AT_ONCE,
    ours: {
      ...onWorker,
      run: (operations, { db }) =>
        inHundreds(operations, (index) => db.insert(pageViews).values(view(index))),
    },
    peers: {
      'drizzle on better-sqlite3': {
        ...inThread,
        run: (operations, { db }) => {
          for (let index = 0; index < operations; index += 1) db.insert(pageViews).values(view(index)).run()
        },
      },
    },
    floor: { 'drizzle on better-sqlite3': 1.5 },
  }),
  defineCase({
    id: 'drizzle-insert-prepared',
    unit: 'op/s',
    step: AT_ONCE,
    ours: {
      ...onWorker,
      run: (operations, { insert }) => inHundreds(operations, (index) => insert.run(view(index))),
    },
    peers: {
      'drizzle on better-sqlite3': {
        ...inThread,
        run: (operations, { insert }) => {
          for (let index = 0; index < operations; index += 1) insert.run(view(index))
        },
      },
    },
    floor: { 'drizzle on better-sqlite3': 1.5 },
  }),
]
