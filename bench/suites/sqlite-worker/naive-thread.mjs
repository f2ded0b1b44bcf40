// A thread as many write it by hand: one message per operation, answered by id.
import { parentPort, workerData } from 'node:worker_threads'
import { openInThread } from './database-file.mjs'

const db = openInThread(workerData.file)
const statement = db.prepare(workerData.sql)

parentPort.on('message', ({ id, params }) => {
  try {
    parentPort.postMessage({ id, result: statement.run(params) })
  } catch (error) {
    parentPort.postMessage({ id, error })
  }
})
