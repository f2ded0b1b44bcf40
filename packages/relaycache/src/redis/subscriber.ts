import type { RedisClient, SubscribingClient } from './client.ts'

/** How long the connection stays open after nobody listens any more. */
const IDLE_MS = 10_000

const MAX_RETRY_MS = 2000

/**
 * Commands wait for the connection: whoever listens has a time limit of its own. Nobody catches the error when ioredis
 * subscribes anew and the connection is lost meanwhile, which would end the process.
 */
const OPTIONS = {
  lazyConnect: false,
  enableOfflineQueue: true,
  autoResubscribe: false,
  maxRetriesPerRequest: null,
}

/** Hears each message of a channel, and `undefined` once it is sure to hear those that follow. */
type Listener = (message: string | undefined) => void

interface Channel {
  readonly listeners: Set<Listener>
  /** Never rejects. A connection that cannot subscribe delivers nothing. */
  readonly subscribed: Promise<boolean>
}

/**
 * Listens to channels of Redis over one connection, which is opened when it is first needed, closed when nobody has
 * listened for a while or the client ends, and never keeps the process alive. A Cluster has such a connection already.
 * Messages may be lost, as ever in Redis: whoever waits for one must look for itself from time to time.
 */
class Subscriber {
  readonly #client: RedisClient
  readonly #channels = new Map<string, Channel>()
  readonly #whenLost = new Set<() => void>()
  #connection: SubscribingClient | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(client: RedisClient) {
    this.#client = client
  }

  /** Starts to listen. Gives the function that ends it. */
  listen(name: string, listener: Listener): () => void {
    const channel = this.#open(name)
    channel.listeners.add(listener)
    void channel.subscribed.then((subscribed) => {
      if (subscribed && channel.listeners.has(listener)) listener(undefined)
    })
    return () => {
      channel.listeners.delete(listener)
      if (channel.listeners.size === 0 && this.#channels.get(name) === channel) this.#leave(name)
    }
  }

  /**
   * Calls `listener` whenever messages may have been missed, because a connection of its own was lost. Gives the function
   * that ends it.
   */
  whenLost(listener: () => void): () => void {
    this.#whenLost.add(listener)
    return () => this.#whenLost.delete(listener)
  }

  /** Gives up a connection that is silent, and opens another one. */
  reconnect(): void {
    if (this.#connection !== this.#client) this.#connection?.disconnect(true)
  }

  #open(name: string): Channel {
    const open = this.#channels.get(name)
    if (open) return open
    clearTimeout(this.#idle)
    this.#connection ??= this.#connect()
    const subscribed = this.#connection.subscribe(name).then(
      () => true,
      () => false,
    )
    const channel: Channel = { listeners: new Set(), subscribed }
    this.#channels.set(name, channel)
    return channel
  }

  #leave(name: string): void {
    this.#channels.delete(name)
    this.#connection?.unsubscribe(name).catch(() => undefined)
    if (this.#channels.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(this.#close, IDLE_MS).unref()
  }

  #connect(): SubscribingClient {
    const client = this.#client
    client.on('end', this.#close)
    if (client.isCluster) {
      client.on('message', this.#deliver)
      return client
    }
    // Without listeners a lost connection ends, so that it does not keep the process alive by trying again.
    const retryStrategy = (times: number): number | null =>
      this.#channels.size === 0 ? null : Math.min(times * 50, MAX_RETRY_MS)
    const connection = client.duplicate({ ...OPTIONS, retryStrategy })
    connection.on('message', this.#deliver)
    // Whatever ails this connection, the client of the user meets it too and reports it.
    connection.on('error', () => undefined)
    connection.on('connect', () => connection.stream?.unref())
    let isNew = true
    connection.on('ready', () => {
      // One command, so that whoever hears one of the channels again hears all of them.
      if (!isNew) connection.subscribe(...this.#channels.keys()).catch(() => undefined)
      isNew = false
    })
    connection.on('close', this.#lose)
    connection.on('end', () => {
      if (this.#connection === connection) this.#close()
    })
    return connection
  }

  readonly #lose = (): void => {
    for (const listener of this.#whenLost) listener()
  }

  readonly #deliver = (name: string, message: string): void => {
    for (const listener of this.#channels.get(name)?.listeners ?? []) listener(message)
  }

  /** Those who still listen hear nothing more. The next one opens another connection. */
  readonly #close = (): void => {
    const connection = this.#connection
    this.#connection = undefined
    this.#channels.clear()
    clearTimeout(this.#idle)
    this.#client.off('end', this.#close)
    connection?.off('message', this.#deliver)
    if (connection && connection !== this.#client) connection.disconnect()
    this.#lose()
  }
}

const subscribers = new WeakMap<RedisClient, Subscriber>()

/** The subscriber of a client, which all caches on it share. */
export function subscriberOf(client: RedisClient): Pick<Subscriber, 'listen' | 'whenLost' | 'reconnect'> {
  let subscriber = subscribers.get(client)
  if (!subscriber) subscribers.set(client, (subscriber = new Subscriber(client)))
  return subscriber
}
