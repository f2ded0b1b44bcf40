import { performance } from 'node:perf_hooks'
import { better, defineQueue, defineWorker } from 'plainjob'
import { ours } from '../../lib/ours.mjs'
import { median } from '../../lib/statistics.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { AT_ONCE, inHundreds } from './concurrency.mjs'
import { newFile, openInThread } from './database-file.mjs'

const { SqliteWorker } = await ours('sqlite-worker')
const { createQueue } = await ours('sqlite-worker/queue')

/** Jobs of a sample of `queue-process`. */
const JOBS = 2000
const mail = (index) => ({ to: `user${index}@example.com`, subject: 'Hello' })

const oursContender = {
  setup: () => {
    const worker = new SqliteWorker(newFile())
    return { worker, queue: createQueue(worker) }
  },
  teardown: async ({ worker, queue }) => {
    await queue.close()
    await worker.close()
  },
}

const silent = { debug() {}, info() {}, warn() {}, error: console.error }
const plainjob = {
  setup: () => defineQueue({ connection: better(openInThread(newFile())), logger: silent }),
  teardown: (queue) => queue.close(),
}

export const queueCases = [
  defineCase({
    id: 'queue-add',
    unit: 'jobs/s',
    step: AT_ONCE,
    ours: {
      ...oursContender,
      run: (operations, { queue }) => inHundreds(operations, (index) => queue.add('mail', mail(index))),
    },
    peers: {
      plainjob: {
        ...plainjob,
        run: (operations, queue) => {
          for (let index = 0; index < operations; index += 1) queue.add('mail', mail(index))
        },
      },
    },
    floor: { plainjob: 2.5 },
    stretch: { plainjob: 5 },
  }),
  defineCase({
    id: 'queue-process',
    unit: 'jobs/s',
    ours: {
      ...oursContender,
      before: ({ queue }) => queue.addMany('mail', mails()),
      measure: async ({ queue }) => {
        const handled = countdown(JOBS)
        const start = performance.now()
        const consumer = queue.work({ mail: ({ to }) => handled.one(to) }, { concurrency: AT_ONCE })
        await handled.all
        await consumer.close() // until all are recorded as done
        return rateSince(start)
      },
    },
    peers: {
      plainjob: {
        ...plainjob,
        before: (queue) => queue.addMany('mail', mails()),
        measure: async (queue) => {
          const handled = countdown(JOBS)
          const start = performance.now()
          const worker = defineWorker('mail', async ({ data }) => handled.one(JSON.parse(data).to), {
            queue,
            logger: silent,
          })
          const running = worker.start()
          await handled.all
          await worker.stop()
          await running
          return rateSince(start)
        },
      },
    },
    floor: { plainjob: 2.5 },
    stretch: { plainjob: 5 },
    metrics: {
      'add to start p50': {
        ...oursContender,
        measure: async ({ queue }) => {
          let started
          const consumer = queue.work({ mail: () => started(performance.now()) })
          const delays = []
          for (let index = 0; index < 200; index += 1) {
            const addedAt = performance.now()
            const startedAt = new Promise((resolve) => (started = resolve))
            await queue.add('mail', mail(index))
            delays.push((await startedAt) - addedAt)
          }
          await consumer.close()
          return median(delays)
        },
      },
    },
    limits: [{ metric: 'add to start p50', op: '<=', value: 2, unit: 'ms' }],
  }),
]

const mails = () => Array.from({ length: JOBS }, (_, index) => mail(index))
const rateSince = (start) => (JOBS / (performance.now() - start)) * 1000

/** A handler that looks at its payload, and a promise of the last job. */
function countdown(jobs) {
  let left = jobs
  let resolveAll
  const all = new Promise((resolve) => (resolveAll = resolve))
  const one = (to) => {
    if (!to.startsWith('user')) throw new Error('The payload is not what was added')
    left -= 1
    if (left === 0) resolveAll()
  }
  return { one, all }
}
