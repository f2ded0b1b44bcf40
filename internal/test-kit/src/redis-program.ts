import { join } from 'node:path'
import { aptFolder, hasApt, libraryPath } from './apt.ts'
import { hasDocker } from './docker.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findOnPath, runsWell, type Program } from './program.ts'

/** A way to run a Redis server: a program of this machine, or a container. */
export type RedisSource = Program | 'docker'

/** The image used where a container is the only way. */
export const REDIS_IMAGE = 'redis:7-alpine'

/**
 * Finds a Redis server: REDIS_SERVER_BINARY, else `redis-server` or `valkey-server` on PATH, else (Debian, Ubuntu)
 * the distribution's package fetched into the cache, else Docker.
 * @throws {TestKitError} ERR_SERVICE_MISSING naming what to do when there is none of these
 */
export async function findRedis(): Promise<RedisSource> {
  const named = process.env['REDIS_SERVER_BINARY']
  if (named) {
    if (await runsWell({ file: named, env: {} }, '--version')) return { file: named, env: {} }
    throw missing(`REDIS_SERVER_BINARY names ${named}, which does not run`)
  }
  const file = await findOnPath('redis-server', 'valkey-server')
  if (file !== undefined) return { file, env: {} }
  let reason = 'there is no redis-server and no valkey-server on PATH'
  if (await hasApt()) {
    try {
      return await redisFromApt()
    } catch (error) {
      reason += `, and ${error instanceof Error ? error.message : String(error)}`
    }
  }
  if (await hasDocker()) return 'docker'
  throw missing(reason)
}

async function redisFromApt(): Promise<Program> {
  const folder = await aptFolder(['redis-server'], async (path) =>
    runsWell(await programIn(path), '--version'),
  )
  return programIn(folder)
}

async function programIn(folder: string): Promise<Program> {
  return { file: join(folder, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: await libraryPath(folder) } }
}

function missing(reason: string): TestKitError {
  return new TestKitError(
    TEST_KIT_ERROR_CODES.serviceMissing,
    `These tests need Redis, but ${reason}. Do one of these:
  - install it with your package manager (brew install redis, apt-get install redis-server, dnf install valkey, ...)
  - install and start Docker
  - name a running server in REDIS_URL=redis://host:port, or do without: SKIP_SERVICES=redis`,
  )
}
