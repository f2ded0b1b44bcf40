import { join } from 'node:path'
import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '@outrider/embedded-postgres'
import { Client } from 'pg'
import { PhantomDBServerError } from '../errors.ts'
import type { GatewayLogger } from '../options.ts'
import { findServer } from '../server-file.ts'
import type { Engine } from './engine.ts'

/** Where the embedded PostgreSQL keeps its files within a data folder. */
export const postgresDir = (dataDir: string): string => join(dataDir, 'postgres')

/**
 * Starts or adopts the PostgreSQL of a data folder and takes it for this gateway alone.
 * @throws {PhantomDBServerError} `ERR_ALREADY_SERVED`
 */
export async function startEmbedded(
  dataDir: string,
  logger: GatewayLogger,
  connections: number,
): Promise<Engine> {
  // Not private: the embedded server may have to run as another user, who must get through.
  await mkdir(dataDir, { recursive: true })
  const server = await startPostgres({
    dataDir: postgresDir(dataDir),
    logger,
    settings: { max_connections: String(Math.max(100, connections)) },
  })
  const owner = await takeOwnership(server.url, dataDir).catch(async (error: unknown) => {
    const isServed = error instanceof PhantomDBServerError && error.code === 'ERR_ALREADY_SERVED'
    if (!server.adopted && !isServed) await server.stop()
    throw error
  })
  return {
    kind: 'embedded',
    url: server.url,
    adopted: server.adopted,
    async release(stop) {
      await owner.end().catch(() => {})
      if (stop) await server.stop()
    },
  }
}

/** Any number that no other program locks. */
const lockKey = 7_295_084_113

// PostgreSQL itself keeps the lock for as long as the connection lives, so that it goes with a killed gateway.
async function takeOwnership(url: string, dataDir: string): Promise<Client> {
  const owner = new Client({ connectionString: url, application_name: 'phantomdb owner' })
  owner.on('error', () => {})
  await owner.connect()
  // A gateway that was killed just now is noticed within moments.
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const { rows } = await owner.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      lockKey,
    ])
    if (rows[0]?.taken) return owner
    await sleep(50)
    const served = await findServer(dataDir)
    if (served) {
      await owner.end()
      throw alreadyServed(dataDir, served.url)
    }
  }
  await owner.end()
  throw alreadyServed(dataDir)
}

/** The error for a data folder that has its gateway. */
export function alreadyServed(dataDir: string, url?: string): PhantomDBServerError {
  const where = url === undefined ? '' : ` at ${url}`
  return new PhantomDBServerError('ERR_ALREADY_SERVED', `${dataDir} is already served${where}`, { url })
}
