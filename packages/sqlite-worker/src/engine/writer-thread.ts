import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { FromWorker, ToWorker, WriterConfig } from '../protocol.ts'

let addonLoaded = false

/**
 * Starts the thread that owns a connection. The native addon is loaded here first: loading it only in threads that
 * end crashes the process (https://github.com/WiseLibs/better-sqlite3/issues/1476).
 */
export class WriterThread {
  readonly #worker: Worker
  readonly exited: Promise<void>

  constructor(workerUrl: URL, config: WriterConfig, events: WriterEvents) {
    if (!addonLoaded) new Database(':memory:').close()
    addonLoaded = true
    const worker = new Worker(workerUrl, { workerData: config })
    worker.on('message', (message: FromWorker) => events.message(message))
    worker.on('error', (error) => events.died(error))
    this.exited = new Promise((resolve) => {
      worker.on('exit', (exitCode) => {
        events.died(new Error(`The thread ended with exit code ${exitCode}`))
        resolve()
      })
    })
    worker.unref() // after the listeners, which would hold it again
    this.#worker = worker
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  /** Whether the thread keeps the process alive. */
  hold(busy: boolean): void {
    if (busy) this.#worker.ref()
    else this.#worker.unref()
  }
}

export interface WriterEvents {
  message(message: FromWorker): void
  /** The thread is gone, or will be. Also called at an orderly end. */
  died(cause: unknown): void
}
