/** One server, for counting its keys. */
export interface RedisNode {
  dbsize(): Promise<number>
  scan(cursor: string, countToken: 'COUNT', count: number): Promise<[cursor: string, keys: string[]]>
}

/** The part of an ioredis client that listens to channels. */
export interface SubscribingClient {
  readonly status: string
  /** The socket of a `Redis`, another one after each reconnect. */
  readonly stream?: { unref(): unknown }
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
  on(event: 'connect' | 'ready' | 'close' | 'end' | 'error', listener: () => void): unknown
  off(event: 'message', listener: (channel: string, message: string) => void): unknown
  off(event: 'ready' | 'end', listener: () => void): unknown
  disconnect(reconnect?: boolean): void
}

/** A further connection to the same server. */
export interface DuplicateClient extends SubscribingClient {
  wait(replicas: number, timeoutMs: number): Promise<number>
}

/** What {@link RedisCache} uses of an ioredis `Redis` or `Cluster`. The client stays the caller's: it is never closed. */
export interface RedisClient extends RedisNode, SubscribingClient {
  readonly isCluster: boolean
  readonly options: RedisClientOptions
  connect(): Promise<unknown>
  once(event: 'ready', listener: () => void): unknown
  getBuffer(key: string): Promise<Buffer | null>
  getrangeBuffer(key: string, first: number, last: number): Promise<Buffer>
  mgetBuffer(keys: string[]): Promise<(Buffer | null)[]>
  del(keys: string[]): Promise<number>
  pttl(key: string): Promise<number>
  publish(channel: string, message: string): Promise<number>
  eval(script: string, keyCount: number, ...keysAndArgs: (string | number | Buffer)[]): Promise<unknown>
  info(section: 'replication'): Promise<string>
  /** For a connection that listens, or may be blocked. A Cluster listens by itself. */
  duplicate(options?: object): DuplicateClient
  /** A Cluster has nodes, each a client. */
  nodes?(role: 'master'): RedisClient[]
  /** Asks one node of a Cluster. */
  cluster(subcommand: 'INFO'): Promise<unknown>
  /** A Cluster learns of its nodes. */
  refreshSlotsCache?(): void
}

/** The client's own options, as far as they matter here. */
export interface RedisClientOptions {
  readonly enableOfflineQueue?: boolean | undefined
  readonly keyPrefix?: string | Buffer | undefined
  readonly scaleReads?: unknown
  readonly role?: unknown
  readonly readOnly?: boolean | undefined
}

const clientsThatQueue = new WeakSet<RedisClient>()

/**
 * Checks what the guarantees need of a client, and warns once for one that queues commands while Redis is away.
 *
 * @throws {TypeError} when it is not an ioredis client, or reads from replicas
 */
export function checkClient(client: RedisClient): void {
  if (typeof client !== 'object' || client === null || typeof client.mgetBuffer !== 'function') {
    throw new TypeError('Expected an ioredis client: new Redis() or new Cluster()')
  }
  const { enableOfflineQueue, scaleReads = 'master', role = 'master', readOnly = false } = client.options
  if (client.isCluster && scaleReads !== 'master') throw readsFromReplicas("scaleReads to be 'master'")
  if (role !== 'master') throw readsFromReplicas("role to be 'master'")
  if (readOnly) throw readsFromReplicas('readOnly to be false')
  if (enableOfflineQueue === false || clientsThatQueue.has(client)) return
  clientsThatQueue.add(client)
  process.emitWarning(
    'The Redis client given to RedisCache queues commands while it is not connected. Set enableOfflineQueue: false',
    { type: 'RelayCacheWarning', code: 'RELAYCACHE_OFFLINE_QUEUE' },
  )
}

function readsFromReplicas(expected: string): TypeError {
  return new TypeError(`Expected ${expected}: a replica may still hold what was invalidated`)
}

const waiting = new WeakMap<RedisClient, Set<() => void>>()

/**
 * Calls `then` once commands can be sent again. Gives the function that ends the wait, after which nothing is left of it.
 * Listens once, however often asked.
 *
 * @throws {Error} when the client was closed
 */
export function onceReady(client: RedisClient, then: () => void): () => void {
  if (client.status === 'end') throw new Error('The Redis client is closed')
  const callers = waiting.get(client) ?? waitFor(client)
  callers.add(then)
  return () => callers.delete(then)
}

function waitFor(client: RedisClient): Set<() => void> {
  const callers = new Set<() => void>()
  waiting.set(client, callers)
  client.once('ready', () => {
    waiting.delete(client)
    for (const then of callers) then()
  })
  // A lazy client connects at its first command; a failure shows as a missed deadline.
  if (client.status === 'wait') client.connect().catch(() => undefined)
  return callers
}
