import { setTimeout as pause } from 'node:timers/promises'
import { ReplicasBehindError } from '../errors.ts'
import { describe } from '../options.ts'
import type { RedisClient, ReplicatingNode } from './client.ts'
import type { Gate } from './gate.ts'

const MAX_REPLICAS = 16

const MIN_PAUSE_MS = 2
const MAX_PAUSE_MS = 100
/** An answer that is a little late says more than that there was none. */
const MIN_DEADLINE_MS = 100

/** @throws {RangeError} when it is not an integer from 0 to 16 */
export function checkWaitReplicas(count: unknown): number {
  if (Number.isInteger(count) && Number(count) >= 0 && Number(count) <= MAX_REPLICAS) return Number(count)
  throw new RangeError(
    `Expected waitReplicas to be an integer from 0 to ${MAX_REPLICAS}, got ${describe(count)}`,
  )
}

/** Confirms writes: that the masters have executed them, and where asked for, so many replicas of each as well. */
export class Replicas {
  readonly #client: RedisClient
  readonly #gate: Gate
  readonly #deadlineMs: number
  readonly #wanted: number

  constructor(
    client: RedisClient,
    { gate, deadlineMs, wanted }: { gate: Gate; deadlineMs: number; wanted: number },
  ) {
    this.#client = client
    this.#gate = gate
    this.#deadlineMs = deadlineMs
    this.#wanted = wanted
  }

  /**
   * Resolves once what `write` sends is confirmed.
   * @throws {RelayCacheError} unless it is within the deadline
   */
  async confirm(operation: string, write: () => Promise<unknown>): Promise<void> {
    const until = performance.now() + this.#deadlineMs
    const connections = this.#wanted > 0 ? await this.#connections(operation) : undefined
    await this.#gate.insist(operation, this.#deadlineMs, write)
    if (!connections) return
    const masters = mastersOf(this.#client)
    await Promise.all(masters.map((master) => this.#follow(operation, master, until)))
    // Another connection may lead to another server, whose replicas know nothing of the write.
    const isSame = masters.every((master) => connections.get(master) === master.stream)
    if (!isSame) throw new ReplicasBehindError(this.#wanted, 0)
  }

  /** The connections that the next commands use. A client of a Cluster connects to a master with the first one. */
  async #connections(operation: string): Promise<ReadonlyMap<ReplicatingNode, unknown>> {
    const masters = mastersOf(this.#client)
    const unused = masters.filter(({ stream }) => !stream)
    await Promise.all(unused.map((master) => this.#status(operation, master, this.#deadlineMs)))
    return new Map(masters.map((master) => [master, master.stream]))
  }

  /**
   * Waits until enough replicas are where the master is now. A WAIT for all of that time would stop everybody who
   * reads over the connection while a replica is away. A short one makes the replicas tell where they are, and what they
   * told is in the status.
   */
  async #follow(operation: string, master: ReplicatingNode, until: number): Promise<void> {
    const { offset } = await this.#status(operation, master, until - performance.now())
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      master.wait(this.#wanted, 1).catch(() => undefined)
      await pause(pauseMs)
      const { replicaOffsets } = await this.#status(operation, master, until - performance.now())
      const acknowledged = replicaOffsets.filter((reached) => reached >= offset).length
      if (acknowledged >= this.#wanted) return
      if (performance.now() >= until) throw new ReplicasBehindError(this.#wanted, acknowledged)
    }
  }

  #status(operation: string, master: ReplicatingNode, leftMs: number): Promise<ReplicationStatus> {
    const deadlineMs = Math.max(leftMs, MIN_DEADLINE_MS)
    return this.#gate.insist(operation, deadlineMs, async () => statusIn(await master.info('replication')))
  }
}

interface ReplicationStatus {
  /** How far the master is in its stream of writes. */
  readonly offset: number
  /** How far each replica has said to be in it. */
  readonly replicaOffsets: readonly number[]
}

function statusIn(info: string): ReplicationStatus {
  const replicas = info.matchAll(/^slave\d+:.*\bstate=online,offset=(\d+)/gm)
  return {
    offset: Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? Infinity),
    replicaOffsets: Array.from(replicas, ([, offset]) => Number(offset)),
  }
}

function mastersOf(client: RedisClient): readonly ReplicatingNode[] {
  return client.nodes?.('master') ?? [client]
}
