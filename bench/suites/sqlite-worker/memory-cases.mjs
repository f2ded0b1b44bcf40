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

/** Writes, reads and a failure in every ten, whose outcomes nobody looks at; only the last of a burst are awaited. */
async function abandon(worker, operations) {
  const read = (id) => worker.execute('SELECT * FROM views WHERE id = ?', [id])
  const write = (id) =>
    worker.execute('INSERT OR REPLACE INTO views (id, url) VALUES (?, ?)', [id, `/books/${id}`])
  const fail = () => worker.execute("INSERT INTO views (id) VALUES ('no integer')")
  for (let done = 0; done < operations; done += BURST) {
    for (let id = 0; id < BURST - 2; id += 1) {
      if (id % 10 === 0) void read(id)
      else if (id % 10 === 1) void fail()
      else void write(id)
    }
    await Promise.all([write(0), read(0)])
  }
}

/** Of this thread, buffers included. */
function heapMiB() {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}
