import { ours } from '../../lib/ours.mjs'
import { collectGarbage } from '../../lib/sampling.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { newFile } from './database-file.mjs'

const { SqliteWorker } = await ours('sqlite-worker')

const OPERATIONS = 1_000_000
const BURST = 1000

export const memoryCases = [
  defineCase({
    id: 'abandoned-tokens',
    unit: 'MiB',
    metrics: {
      'heap growth from 10 % to 100 %': {
        times: 1,
        setup: () =>
          new SqliteWorker(
            newFile((db) => db.exec('CREATE TABLE views (id INTEGER PRIMARY KEY, url TEXT)')),
            { onUnobservedError: () => {} },
          ),
        measure: async (worker) => {
          await abandon(worker, OPERATIONS / 10)
          const early = heapMiB()
          await abandon(worker, (OPERATIONS / 10) * 9)
          return heapMiB() - early
        },
        teardown: (worker) => worker.close(),
      },
    },
    limits: [{ metric: 'heap growth from 10 % to 100 %', op: '<=', value: 16, unit: 'MiB' }],
  }),
]

/** Writes, reads and a failure in every ten, whose outcomes nobody looks at; only the last of a burst is awaited. */
async function abandon(worker, operations) {
  for (let done = 0; done < operations; done += BURST) {
    for (let id = 0; id < BURST - 1; id += 1) {
      if (id % 10 === 0) void worker.execute('SELECT * FROM views WHERE id = ?', [id])
      else if (id % 10 === 1)
        void worker.execute('INSERT INTO views SELECT * FROM views WHERE id = ?', [id - 1])
      else void worker.execute('INSERT OR REPLACE INTO views (id, url) VALUES (?, ?)', [id, `/books/${id}`])
    }
    await worker.execute('INSERT OR REPLACE INTO views (id, url) VALUES (0, ?)', [`${done}`])
  }
}

/** Of this thread, buffers included. */
function heapMiB() {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}
