import { Worker } from 'node:worker_threads'

/**
 * The main side of naive-thread.mjs.
 *
 * @param {string} file
 * @param {string} sql
 */
export function openNaiveWorker(file, sql) {
  const worker = new Worker(new URL('naive-thread.mjs', import.meta.url), { workerData: { file, sql } })
  const pending = new Map()
  let lastId = 0
  worker.on('message', ({ id, result, error }) => {
    const { resolve, reject } = pending.get(id)
    pending.delete(id)
    if (error) reject(error)
    else resolve(result)
  })
  return {
    run: (params) =>
      new Promise((resolve, reject) => {
        const id = ++lastId
        pending.set(id, { resolve, reject })
        worker.postMessage({ id, params })
      }),
    close: () => worker.terminate(),
  }
}
