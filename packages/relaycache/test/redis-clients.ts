import { once } from 'node:events'
import { Cluster, Redis, type RedisOptions } from 'ioredis'

/** What a test may ask of a client. */
export type ClientOptions = Pick<
  RedisOptions,
  | 'keyPrefix'
  | 'enableAutoPipelining'
  | 'stringNumbers'
  | 'autoResendUnfulfilledCommands'
  | 'username'
  | 'password'
  | 'commandTimeout'
>

/** A connected client that fails at once while Redis is away, as the README asks for. */
export async function connect(port: number, options: ClientOptions = {}): Promise<Redis> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    enableOfflineQueue: false,
    retryStrategy: () => 20,
    ...options,
  })
  // Losing the connection is what the tests are about.
  client.on('error', () => undefined)
  await once(client, 'ready')
  return client
}

/** A connected Cluster client. */
export async function connectCluster(nodes: readonly { host: string; port: number }[]): Promise<Cluster> {
  const client = new Cluster(
    nodes.map(({ host, port }) => ({ host, port })),
    { enableOfflineQueue: false },
  )
  client.on('error', () => undefined)
  await once(client, 'ready')
  return client
}
