import { performance } from 'node:perf_hooks'
import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { newFile, openInThread } from './database-file.mjs'
import { loopDelayDuring, slowestWriteDuring } from './event-loop.mjs'

const { SqliteWorker } = await ours('sqlite-worker')

const COUNT_TO =
  'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT max(i) FROM n'
const WRITE = 'INSERT INTO page_views (url) VALUES (?)'
const newTable = () => newFile((db) => db.exec('CREATE TABLE page_views (id INTEGER PRIMARY KEY, url TEXT)'))

/** How far this machine counts in 200 ms: what makes a query that long. */
let countIn200Ms

const oursContender = {
  setup: () => {
    countIn200Ms ??= calibrated()
    return new SqliteWorker(newTable())
  },
  teardown: (worker) => worker.close(),
}

const inThread = {
  setup: () => {
    const db = openInThread(newTable())
    return { db, query: db.prepare(COUNT_TO), write: db.prepare(WRITE) }
  },
  teardown: ({ db }) => db.close(),
}

export const latencyCases = [
  defineCase({
    id: 'loop-delay-during-query',
    unit: 'ms',
    ours: {
      ...oursContender,
      measure: async (worker) =>
        (await loopDelayDuring(() => worker.execute(COUNT_TO, [countIn200Ms]))).maxMs,
    },
    peers: {
      'better-sqlite3 in-thread': {
        ...inThread,
        measure: async ({ query }) => (await loopDelayDuring(() => query.all(countIn200Ms))).maxMs,
      },
    },
    limits: [{ metric: 'ours', op: '<=', value: 10, unit: 'ms' }],
  }),
  defineCase({
    id: 'write-during-read',
    unit: 'ms',
    ours: {
      ...oursContender,
      measure: (worker) =>
        slowestWriteDuring(
          () => worker.execute(COUNT_TO, [countIn200Ms]),
          () => worker.execute(WRITE, ['/']),
        ),
    },
    peers: {
      'better-sqlite3 in-thread': {
        ...inThread,
        measure: ({ query, write }) =>
          slowestWriteDuring(
            () => query.all(countIn200Ms),
            () => write.run('/'),
          ),
      },
    },
    limits: [{ metric: 'ours', op: '<=', value: 20, unit: 'ms' }],
  }),
]

function calibrated() {
  const db = openInThread(newTable())
  const query = db.prepare(COUNT_TO)
  const start = performance.now()
  query.all(1e6)
  const elapsedMs = performance.now() - start
  db.close()
  return Math.round((1e6 * 200) / elapsedMs)
}
