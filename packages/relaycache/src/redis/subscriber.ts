import type { RedisClient, SubscribingClient } from './client.ts'

/** How long the connection stays open after nobody listens any more. */
const IDLE_MS = 10_000

const MAX_RETRY_MS = 2000

/**
 * For a connection that only listens, whatever the client of the user needs. It never rejects what nobody catches, as
 * ioredis does when it subscribes anew by itself, and what it was sent is settled.
 */
const OPTIONS = {
  lazyConnect: false,
  enableOfflineQueue: true,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: true,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  reconnectOnError: null,
  // It keeps the process alive for so long after it was closed while it waits to connect again.
  disconnectTimeout: 100,
}

/** Hears each message of a channel, and `undefined` whenever it is sure, again, to hear those that follow. */
type Listener = (message: string | undefined) => void

interface Channel {
  readonly listeners: Set<Listener>
  /** Called when Redis does not let the user listen. */
  readonly whenRefused: Set<(error: unknown) => void>
  /** Whether Redis has confirmed it over the connection that there is. */
  isHeard: boolean
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
  listen(name: string, listener: Listener, refused: (error: unknown) => void = () => undefined): () => void {
    clearTimeout(this.#idle)
    const channel = this.#channels.get(name) ?? this.#add(name)
    channel.listeners.add(listener)
    channel.whenRefused.add(refused)
    if (channel.isHeard) {
      queueMicrotask(() => {
        if (channel.isHeard && channel.listeners.has(listener)) listener(undefined)
      })
    }
    return () => {
      channel.listeners.delete(listener)
      channel.whenRefused.delete(refused)
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

  /** Opens the connection if it was closed, as it is when the client ends, which may be connected again. */
  open(): void {
    this.#connection ??= this.#connect()
  }

  /** Gives up a connection that is silent, and opens another one. */
  reconnect(): void {
    if (this.#connection !== this.#client) this.#connection?.disconnect(true)
  }

  #add(name: string): Channel {
    const channel: Channel = { listeners: new Set(), whenRefused: new Set(), isHeard: false }
    this.#channels.set(name, channel)
    this.open()
    if (this.#connection?.status === 'ready') void this.#subscribe(name, channel)
    return channel
  }

  async #subscribe(name: string, channel: Channel): Promise<void> {
    try {
      await this.#connection?.subscribe(name)
    } catch (error) {
      for (const refused of channel.whenRefused) refused(error)
      return
    }
    channel.isHeard = true
    for (const listener of channel.listeners) listener(undefined)
  }

  #leave(name: string): void {
    this.#channels.delete(name)
    if (this.#connection?.status === 'ready') this.#connection.unsubscribe(name).catch(() => undefined)
    if (this.#channels.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(this.#close, IDLE_MS).unref()
  }

  #connect(): SubscribingClient {
    const client = this.#client
    client.on('end', this.#close)
    const connection = client.isCluster ? client : this.#duplicate()
    connection.on('message', this.#deliver)
    connection.on('ready', this.#begin)
    return connection
  }

  #duplicate(): SubscribingClient {
    // Without listeners a lost connection ends, so that it does not keep the process alive by trying again.
    const retryStrategy = (times: number): number | null =>
      this.#channels.size === 0 ? null : Math.min(times * 50, MAX_RETRY_MS)
    const connection = this.#client.duplicate({ ...OPTIONS, retryStrategy })
    // Whatever ails this connection, the client of the user meets it too and reports it.
    connection.on('error', () => undefined)
    connection.on('connect', () => connection.stream?.unref())
    connection.on('close', () => {
      if (this.#connection === connection) this.#lose()
    })
    connection.on('end', () => {
      if (this.#connection === connection) this.#close()
    })
    return connection
  }

  /** One by one: where a user may not use all of the channels, Redis would refuse all of them. */
  readonly #begin = (): void => {
    for (const [name, channel] of this.#channels) void this.#subscribe(name, channel)
  }

  readonly #lose = (): void => {
    for (const channel of this.#channels.values()) channel.isHeard = false
    for (const listener of this.#whenLost) listener()
  }

  readonly #deliver = (name: string, message: string): void => {
    for (const listener of this.#channels.get(name)?.listeners ?? []) listener(message)
  }

  /** Those who still listen hear nothing until a connection is opened again. */
  readonly #close = (): void => {
    const connection = this.#connection
    this.#connection = undefined
    clearTimeout(this.#idle)
    this.#client.off('end', this.#close)
    connection?.off('message', this.#deliver)
    connection?.off('ready', this.#begin)
    if (connection && connection !== this.#client) connection.disconnect()
    this.#lose()
  }
}

const subscribers = new WeakMap<RedisClient, Subscriber>()

/** The subscriber of a client, which all caches on it share. */
export function subscriberOf(
  client: RedisClient,
): Pick<Subscriber, 'listen' | 'whenLost' | 'open' | 'reconnect'> {
  let subscriber = subscribers.get(client)
  if (!subscriber) subscribers.set(client, (subscriber = new Subscriber(client)))
  return subscriber
}
