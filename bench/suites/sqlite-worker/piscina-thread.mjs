// What piscina's documentation suggests for better-sqlite3: the thread keeps a connection, and a task is a call.
import { workerData } from 'piscina'
import { openInThread } from './database-file.mjs'

const db = openInThread(workerData.file)
const statement = db.prepare(workerData.sql)

export const run = (params) => statement.run(params)
