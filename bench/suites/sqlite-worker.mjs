// sqlite-worker against the ways to use SQLite from Node. The cases are in the folder of the same name.
import { defineSuite } from '../lib/suite.mjs'
import { versionOf } from '../lib/ours.mjs'
import { drizzleCases } from './sqlite-worker/drizzle-cases.mjs'
import { insertCases } from './sqlite-worker/insert-cases.mjs'
import { latencyCases } from './sqlite-worker/latency-cases.mjs'
import { memoryCases } from './sqlite-worker/memory-cases.mjs'
import { queueCases } from './sqlite-worker/queue-cases.mjs'
import { readCases } from './sqlite-worker/read-cases.mjs'
import { transactionCases } from './sqlite-worker/transaction-cases.mjs'

const peers = ['better-sqlite3', 'sqlite3', '@libsql/client', 'piscina', 'drizzle-orm', 'plainjob']

export const suite = defineSuite({
  name: 'sqlite-worker',
  versions: Object.fromEntries(peers.map((name) => [name, versionOf(name)])),
  cases: [
    ...insertCases,
    ...readCases,
    ...latencyCases,
    ...transactionCases,
    ...drizzleCases,
    ...queueCases,
    ...memoryCases,
  ],
})
