import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findRedis } from './redis-program.ts'
import { runRedis, runRedisOnFreePort, type RedisProcess } from './redis-process.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** A Redis server for tests. */
export interface TestRedis extends AsyncDisposable {
  /** For example `redis://127.0.0.1:40123`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Of the running server; undefined for a server given by REDIS_URL and inside a container. */
  readonly pid: number | undefined
  /** Ends the server and removes its folder. Leaves a server given by REDIS_URL alone. */
  stop(): Promise<void>
  /**
   * Sends a signal: SIGKILL and SIGTERM end the server (resolves once it is gone), SIGSTOP freezes it and SIGCONT
   * lets it go on.
   * @throws {TestKitError} ERR_SERVICE_EXTERNAL for a server given by REDIS_URL
   */
  kill(signal: NodeJS.Signals): Promise<void>
  /**
   * Starts the server again on the same port, ending it first when it runs. It comes back empty.
   * @throws {TestKitError} ERR_SERVICE_EXTERNAL for a server given by REDIS_URL
   */
  restart(): Promise<void>
}

/** What {@link startRedis} takes. */
export interface StartRedisOptions {
  /** Further arguments of `redis-server`, for example `['--maxmemory', '10mb']`. */
  args?: readonly string[]
}

/**
 * Starts a Redis server of its own: a free port of 127.0.0.1, a private folder, no persistence. It ends with this
 * process at the latest, however that ends. Without `args` and with REDIS_URL set, that server is used instead (all
 * its databases may be flushed by tests).
 * @throws {TestKitError} ERR_SERVICE_MISSING when there is no Redis, ERR_SERVICE_FAILED when it does not start
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const given = process.env['REDIS_URL']
  if (given && options.args === undefined) return givenRedis(given)
  const source = await findRedis()
  const folder = await temporaryDirectory()
  const start = await runRedisOnFreePort({
    source,
    folder: folder.path,
    args: options.args ?? [],
  }).catch(async (error: unknown) => {
    await folder.remove()
    throw error
  })
  const { run } = start
  let server: RedisProcess | undefined = start.server
  const end = async () => {
    const running = server
    server = undefined
    await running?.signal('SIGKILL')
  }
  const stop = async () => {
    await end()
    await folder.remove()
  }
  return {
    url: `redis://127.0.0.1:${run.port}`,
    host: '127.0.0.1',
    port: run.port,
    get pid() {
      return server?.pid
    },
    stop,
    async kill(signal) {
      const running = server
      if (signal === 'SIGKILL' || signal === 'SIGTERM') server = undefined
      await running?.signal(signal)
    },
    async restart() {
      await end()
      server = await runRedis(run)
    },
    [Symbol.asyncDispose]: stop,
  }
}

function givenRedis(url: string): TestRedis {
  const { hostname, port } = new URL(url)
  return {
    url,
    host: hostname,
    port: Number(port || 6379),
    pid: undefined,
    stop: doNothing,
    kill: refuse,
    restart: refuse,
    [Symbol.asyncDispose]: doNothing,
  }
}

async function doNothing(): Promise<void> {}

async function refuse(): Promise<never> {
  throw new TestKitError(
    TEST_KIT_ERROR_CODES.serviceExternal,
    'The Redis server given by REDIS_URL cannot be killed or restarted. Unset REDIS_URL for this test',
  )
}
