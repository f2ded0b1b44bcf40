import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { eventually } from './eventually.ts'
import { runRedisOnFreePort, type RedisProcess } from './redis-process.ts'
import { findRedis } from './redis-program.ts'
import type { TcpAddress } from './tcp-proxy.ts'
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'

/** A master, a replica and three Sentinels that watch them, for tests. */
export interface TestRedisSentinel extends AsyncDisposable {
  /** What the Sentinels call the master: `new Redis({ sentinels, name })`. */
  readonly name: string
  readonly sentinels: readonly TcpAddress[]
  /** The master at the start. */
  readonly master: Readonly<TcpAddress>
  /** The replica at the start. */
  readonly replica: Readonly<TcpAddress>
  /** Ends the first master at once, by SIGKILL; the Sentinels then make the replica the master. */
  killMaster(): Promise<void>
  /** Ends all servers and removes their folders. */
  stop(): Promise<void>
}

const name = 'main'
const sentinelCount = 3
const quorum = 2

/**
 * Starts a Redis with a replica and three Sentinels, and resolves once the Sentinels know of them and of each other. A
 * server counts as failed after one second of silence. Ignores REDIS_URL.
 * @throws {TestKitError} ERR_SERVICE_MISSING when there is no Redis program, also where there is only Docker
 */
export async function startRedisSentinel(): Promise<TestRedisSentinel> {
  const source = await findRedis()
  if (source === 'docker') {
    throw new TestKitError(
      TEST_KIT_ERROR_CODES.serviceMissing,
      'Redis Sentinel needs a redis-server program of this machine: Docker would hide its servers from each other',
    )
  }
  const started: { server: RedisProcess; folder: TemporaryDirectory }[] = []
  const stop = async () => {
    await Promise.all(
      started.splice(0).map(async ({ server, folder }) => {
        await server.signal('SIGKILL')
        await folder.remove()
      }),
    )
  }
  const start = async (args: readonly string[], config?: string): Promise<TcpAddress> => {
    const folder = await temporaryDirectory()
    const configFile = config && join(folder.path, 'redis.conf')
    if (config && configFile) await writeFile(configFile, config)
    const { server, run } = await runRedisOnFreePort({ source, folder: folder.path, args, configFile })
    started.push({ server, folder })
    return { host: '127.0.0.1', port: run.port }
  }
  try {
    const master = await start(['--repl-diskless-sync-delay', '0'])
    const replica = await start(['--replicaof', master.host, String(master.port)])
    const { server } = started[0] ?? {}
    await eventually(async () => /state=online/.test(await ask(master, 'INFO', 'replication')), {
      timeoutMs: 30_000,
    })
    const config = `sentinel monitor ${name} ${master.host} ${master.port} ${quorum}
sentinel down-after-milliseconds ${name} 1000
sentinel failover-timeout ${name} 5000
`
    const sentinels = await Promise.all(
      Array.from({ length: sentinelCount }, () => start(['--sentinel'], config)),
    )
    await eventually(async () => (await Promise.all(sentinels.map(isComplete))).every(Boolean), {
      timeoutMs: 30_000,
      intervalMs: 50,
    })
    return {
      name,
      sentinels,
      master,
      replica,
      async killMaster() {
        await server?.signal('SIGKILL')
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function isComplete(sentinel: TcpAddress): Promise<boolean> {
  const info = await ask(sentinel, 'INFO', 'sentinel')
  return info.includes(`name=${name},status=ok`) && info.includes(`slaves=1,sentinels=${sentinelCount}`)
}

async function ask(address: TcpAddress, command: string, ...args: string[]): Promise<string> {
  const client = new Redis({ ...address, enableReadyCheck: false })
  try {
    return String(await client.call(command, ...args))
  } finally {
    client.disconnect()
  }
}
