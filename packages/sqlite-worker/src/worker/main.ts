import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { FromWorker, ToWorker, WriterConfig } from '../protocol.ts'
import { Executor } from './executor.ts'
import { toFailure } from './failure.ts'

/** The writer thread: opens the file, answers batches in order, closes when told. */
const port = parentPort
if (!port)
  throw new Error('This file is the worker thread of @outrider/sqlite-worker and is not to be imported')

const reply = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

function open(config: WriterConfig): Database.Database {
  const db = new Database(config.file, { timeout: config.busyTimeoutMs })
  try {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${config.synchronous}`)
    for (const sql of config.executeInit) db.exec(sql)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

try {
  const config = workerData as WriterConfig
  const db = open(config)
  const executor = new Executor(db, config.maxCount)
  port.on('message', (message: ToWorker) => {
    if (message.type === 'batch') {
      const answer = executor.run(message)
      reply(answer, [answer.writes.buffer as ArrayBuffer])
      return
    }
    db.close()
    port.close()
  })
} catch (error) {
  reply({ type: 'open-failed', failure: { ...toFailure(error), kind: 'open' } })
  port.close()
}
