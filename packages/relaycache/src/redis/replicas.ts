import { setTimeout as pause } from 'node:timers/promises'
import { ReplicasBehindError } from '../errors.ts'
import { describe } from '../options.ts'
import { askForAcknowledgements } from './acknowledgements.ts'
import type { RedisClient } from './client.ts'
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

/** A server as it was before a write. */
interface Master {
  readonly node: RedisClient
  readonly stream: RedisClient['stream']
  /** See {@link ReplicationStatus}; `undefined` also when the server did not tell. */
  readonly history: string | undefined
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
    const masters = await this.#gate.insist(operation, this.#deadlineMs, async () => {
      const before = this.#wanted > 0 ? await Promise.all(nodesOf(this.#client).map(masterAt)) : []
      await write()
      return before
    })
    if (this.#wanted === 0) return
    // A master that the client came to know meanwhile may have executed a part of it.
    const known = new Set(masters.map(({ node }) => node))
    if (nodesOf(this.#client).some((node) => !known.has(node))) throw this.#behind()
    await Promise.all(masters.map((master) => this.#follow(operation, master, until)))
  }

  /** Waits until enough replicas are where the master is now. */
  async #follow(operation: string, master: Master, until: number): Promise<void> {
    const { offset } = await this.#status(operation, master, until)
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      askForAcknowledgements(master.node)
      await pause(pauseMs)
      const { replicaOffsets } = await this.#status(operation, master, until)
      const acknowledged = replicaOffsets.filter((reached) => reached >= offset).length
      if (acknowledged >= this.#wanted) return
      if (performance.now() >= until) throw this.#behind(acknowledged)
    }
  }

  /**
   * The status of a master that is the same one as before the write. Another connection may lead to another server, and a
   * server may have become a replica of another one: then its own replicas know nothing of the write.
   */
  async #status(
    operation: string,
    { node, stream, history }: Master,
    until: number,
  ): Promise<ReplicationStatus> {
    if (node.status !== 'ready') throw this.#behind()
    const leftMs = Math.max(until - performance.now(), MIN_DEADLINE_MS)
    const status = await this.#gate.insist(operation, leftMs, () => statusOf(node))
    if (node.stream !== stream || !history || status.history !== history) throw this.#behind()
    return status
  }

  #behind(acknowledged = 0): ReplicasBehindError {
    return new ReplicasBehindError(this.#wanted, acknowledged)
  }
}

function nodesOf(client: RedisClient): readonly RedisClient[] {
  return client.nodes?.('master') ?? [client]
}

/** Never rejects: the write is sent even where this fails, and cannot be confirmed then. */
async function masterAt(node: RedisClient): Promise<Master> {
  const status = await statusOf(node).catch(() => undefined)
  return { node, stream: node.stream, history: status?.history }
}

interface ReplicationStatus {
  /** Names the history of writes that the server makes; `undefined` when it is a replica. */
  readonly history: string | undefined
  /** How far the server is in it. */
  readonly offset: number
  /** How far each replica has said to be in it. */
  readonly replicaOffsets: readonly number[]
}

async function statusOf(node: RedisClient): Promise<ReplicationStatus> {
  const info = await node.info('replication')
  const replicas = info.matchAll(/^slave\d+:.*\bstate=online,offset=(\d+)/gm)
  return {
    history: /^role:master\b/m.test(info) ? /^master_replid:(\w+)/m.exec(info)?.[1] : undefined,
    offset: Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? Infinity),
    replicaOffsets: Array.from(replicas, ([, offset]) => Number(offset)),
  }
}
