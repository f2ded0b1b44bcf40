import { Redis } from 'ioredis'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { eventually } from './eventually.ts'
import { runRedisOnFreePort, type RedisProcess, type RedisRun } from './redis-process.ts'
import { findRedis } from './redis-program.ts'
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'

/** One master of a {@link TestRedisCluster}. */
export interface TestRedisClusterNode {
  readonly host: string
  readonly port: number
  /** Of its process at the start. */
  readonly pid: number
}

/** A Redis Cluster of three masters without replicas for tests. */
export interface TestRedisCluster extends AsyncDisposable {
  /** Slots 0-5460, 5461-10922 and 10923-16383, in this order. */
  readonly nodes: readonly TestRedisClusterNode[]
  /** Ends the node at this index at once, by SIGKILL; resolves once it is gone. */
  killNode(index: number): Promise<void>
  /** Ends all nodes and removes their folders. */
  stop(): Promise<void>
}

/** What {@link startRedisCluster} takes. */
export interface StartRedisClusterOptions {
  /** Further arguments of each `redis-server`. */
  args?: readonly string[]
}

const slotCount = 16_384
const nodeCount = 3

/**
 * Starts a Redis Cluster of three masters and resolves once every node says `cluster_state:ok` (Redis itself takes
 * two seconds to say so). A node counts as failed after 2 seconds of silence. Ignores REDIS_URL.
 * @throws {TestKitError} ERR_SERVICE_MISSING when there is no Redis program, also where there is only Docker
 */
export async function startRedisCluster(options: StartRedisClusterOptions = {}): Promise<TestRedisCluster> {
  const source = await findRedis()
  if (source === 'docker') {
    throw new TestKitError(
      TEST_KIT_ERROR_CODES.serviceMissing,
      'A Redis Cluster needs a redis-server program of this machine: Docker would hide its nodes from each other',
    )
  }
  const started: { server: RedisProcess; run: RedisRun; folder: TemporaryDirectory }[] = []
  const stop = async () => {
    await Promise.all(
      started.splice(0).map(async ({ server, folder }) => {
        await server.signal('SIGKILL')
        await folder.remove()
      }),
    )
  }
  try {
    for (let index = 0; index < nodeCount; index += 1) {
      const folder = await temporaryDirectory()
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...(options.args ?? [])]
      started.push({ ...(await runRedisOnFreePort({ source, folder: folder.path, args })), folder })
    }
    const nodes = started.map(({ run, server }) => ({
      host: '127.0.0.1',
      port: run.port,
      pid: server.pid ?? 0,
    }))
    await join(nodes)
    return {
      nodes,
      async killNode(index) {
        await started[index]?.server.signal('SIGKILL')
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function join(nodes: readonly TestRedisClusterNode[]): Promise<void> {
  const clients = nodes.map(({ host, port }) => new Redis({ host, port }))
  try {
    await Promise.all(clients.map((client, index) => assignSlots(client, index)))
    const [first] = clients
    for (const { host, port } of nodes.slice(1)) await first?.call('CLUSTER', 'MEET', host, port)
    await Promise.all(
      clients.map((client) => eventually(() => isComplete(client), { timeoutMs: 30_000, intervalMs: 50 })),
    )
  } finally {
    for (const client of clients) client.disconnect()
  }
}

async function assignSlots(client: Redis, index: number): Promise<void> {
  const first = Math.ceil((index * slotCount) / nodeCount)
  const end = Math.ceil(((index + 1) * slotCount) / nodeCount)
  const slots = Array.from({ length: end - first }, (_, offset) => first + offset)
  await client.call('CLUSTER', 'ADDSLOTS', ...slots)
  await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
}

async function isComplete(client: Redis): Promise<boolean> {
  const info = String(await client.call('CLUSTER', 'INFO'))
  return (
    /cluster_state:ok/.test(info) &&
    info.includes(`cluster_slots_ok:${slotCount}`) &&
    info.includes(`cluster_known_nodes:${nodeCount}`)
  )
}
