import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { spawnChild, temporaryDirectory } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import type { Counts, Job } from './fixtures/staleness-process.ts'
import { Truth } from './fixtures/staleness-truth.ts'
import type { Random } from './random.ts'
import { connect } from './redis-clients.ts'

const PROCESSES = 3
const ROWS = 24

/** What a trial with several processes is told. */
export interface ProcessTrial extends Pick<
  Job,
  'variant' | 'nodes' | 'isCluster' | 'operations' | 'stopWhenStale'
> {
  readonly random: Random
}

/**
 * Lets processes read, write and invalidate the rows of one table until they have done that many operations together,
 * while keys are evicted from the servers, and connections that listen are killed, at random. Returns the sums of what they counted.
 */
export async function countInProcesses({ random, ...trial }: ProcessTrial): Promise<Counts> {
  await using folder = await temporaryDirectory()
  const truthFile = join(folder.path, 'truth')
  const truth = new Truth(truthFile, ROWS)
  const children = Array.from({ length: PROCESSES }, (_, index) => {
    const job: Job = {
      ...trial,
      truthFile,
      rows: ROWS,
      index,
      processes: PROCESSES,
      operations: Math.ceil(trial.operations / PROCESSES),
      seed: random.below(2 ** 32),
    }
    return spawnChild(new URL('./fixtures/staleness-process.ts', import.meta.url), {
      args: [JSON.stringify(job)],
    })
  })
  let running = true
  const evicting = evict(trial.nodes, random, () => running)
  try {
    return sum(await Promise.all(children.map(async (child) => countsOf(await child.exited))))
  } finally {
    running = false
    truth.stop()
    for (const child of children) child.kill()
    await evicting
  }
}

/** Takes single keys away, mostly those of tags, from time to time all that one server holds, and kills listeners. */
async function evict(nodes: Job['nodes'], random: Random, running: () => boolean): Promise<void> {
  const clients = await Promise.all(nodes.map(({ port }) => connect(port)))
  while (running()) {
    await disturb(clients[random.below(clients.length)], random)
    await pause(random.below(20))
  }
  for (const client of clients) client.disconnect()
}

async function disturb(client: Redis | undefined, random: Random): Promise<void> {
  if (random.below(100) === 0) await client?.flushall()
  if (random.below(20) === 0) await client?.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const keys = (await client?.keys(random.below(4) === 0 ? '*' : '*:meta:*'))?.toSorted() ?? []
  const key = keys[random.below(keys.length || 1)]
  if (key !== undefined) await client?.unlink(key)
}

function countsOf({ code, stdout, stderr }: { code: number | null; stdout: string; stderr: string }): Counts {
  if (code !== 0) throw new Error(`A process of the fuzz failed:\n${stderr}`)
  return JSON.parse(stdout) as Counts
}

function sum([first, ...others]: readonly Counts[]): Counts {
  if (!first) throw new Error('Expected at least one process')
  const total = { ...first }
  for (const counts of others) {
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name]
  }
  return total
}
