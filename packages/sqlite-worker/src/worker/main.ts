import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { Database } from 'better-sqlite3'
import type { FromWorker, ReplyMessage, ThreadConfig, ToWorker } from '../protocol.ts'
import { backUp } from './backup.ts'
import { BusyRetry } from './busy.ts'
import { Executor } from './executor.ts'
import { toFailure } from './failure.ts'
import { openDatabase } from './open.ts'
import { Inbox } from './inbox.ts'
import { MergedInserts } from './merged-inserts.ts'
import { Operations } from './operations.ts'
import { Procedures } from './procedures.ts'
import { ReaderExecutor } from './reader-executor.ts'
import { Reads } from './reads.ts'
import { Schema } from './schema.ts'
import { SharedState } from './shared.ts'
import { Statements } from './statements.ts'
import { Writes } from './writes.ts'

/** The script of every thread: opens the file, answers batches in order, closes when told. */
const port = parentPort
if (!port)
  throw new Error('This file is the worker thread of @outrider/sqlite-worker and is not to be imported')

/** What keeps a closed thread is let go after this time. */
const LINGER_MS = 100

const post = (message: FromWorker) => port.postMessage(message)

function createExecutor(
  db: Database,
  config: ThreadConfig,
  shared: SharedState,
  busy: BusyRetry,
  procedures: Procedures,
) {
  const { slowMs, maxCount, readonly } = config
  const schema = new Schema(db)
  const statements = new Statements(db)
  const reads = new Reads(db, shared, post)
  const writes = new Writes(db, reads)
  const merged = new MergedInserts(db, schema)
  const operations = new Operations({
    db,
    schema,
    statements,
    reads,
    writes,
    merged,
    procedures,
    shared,
    slowMs,
  })
  const reply = (message: ReplyMessage) => {
    if (!shared.isStopped) post(message)
  }
  const parts = { db, statements, operations, reads, schema, busy, shared, reply, maxCount }
  return readonly ? new ReaderExecutor(parts) : new Executor(parts)
}

function serve(port: MessagePort, config: ThreadConfig): void {
  const shared = new SharedState(config.shared)
  const busy = new BusyRetry(config.busyTimeoutMs, shared)
  const db = openDatabase(config, busy)
  const procedures = new Procedures()
  const executor = createExecutor(db, config, shared, busy, procedures)
  post({ type: 'ready', wal: db.pragma('journal_mode', { simple: true }) === 'wal' })

  const close = () => {
    db.close()
    port.close()
    setTimeout(() => process.exit(), LINGER_MS).unref() // a module of procedures may have left a timer or a socket
  }
  const handle = (message: ToWorker): void | Promise<void> => {
    switch (message.type) {
      case 'batch':
        return executor.run(message)
      case 'load':
        return procedures.load(message.file)
      case 'backup':
        return backUp(db, message.path, post)
      case 'close':
        return close()
    }
  }
  new Inbox(port, { shared, maySpin: config.maySpin, handle, close }).open()
}

try {
  serve(port, workerData as ThreadConfig)
} catch (error) {
  post({ type: 'open-failed', failure: { ...toFailure(error), kind: 'open' } })
  port.close()
}
