import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { locateDataDir, startPostgres, stopPostgres } from '@outrider/embedded-postgres'
import { Client } from 'pg'
import { guard } from './guard.ts'

/** A database of its own for a test file. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly name: string
  /** Drops the database, disconnecting whoever uses it. Does nothing when it is gone. */
  drop(): Promise<void>
}

/** A PostgreSQL server for tests. */
export interface TestPostgresServer extends AsyncDisposable {
  /** Of a database that is always there; the user is a superuser unless TEST_DATABASE_URL names another. */
  readonly url: string
  /** Of the server's main process; undefined for a server given by TEST_DATABASE_URL. */
  readonly pid: number | undefined
  /** Creates an empty database with a random name. */
  createDatabase(): Promise<TestDatabase>
  /** Ends the server and removes its data. Of a server given by TEST_DATABASE_URL only the databases are dropped. */
  stop(): Promise<void>
}

/**
 * Starts a PostgreSQL server for tests, without durability, in a temporary folder: or uses the server of
 * TEST_DATABASE_URL. It ends with this process at the latest, however that ends.
 * @throws {EmbeddedPostgresError} ERR_PG_BINARIES_NOT_FOUND when there is no PostgreSQL for this platform
 */
export async function startPostgresServer(): Promise<TestPostgresServer> {
  const given = process.env['TEST_DATABASE_URL']
  const server = given ? { url: given, pid: undefined, stop: async () => {} } : await startTemporary()
  const databases = new Set<TestDatabase>()
  const stop = async () => {
    // The data of an own server goes with its folder.
    if (given) await Promise.all([...databases].map((database) => database.drop()))
    databases.clear()
    await server.stop()
  }
  return {
    url: server.url,
    pid: server.pid,
    async createDatabase() {
      const database = await createDatabase(server.url)
      databases.add(database)
      return database
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function startTemporary(): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-test-pg-'))
  // For root the data may live elsewhere, where the server's user can reach it.
  const dataDir = await locateDataDir(folder)
  const paths = new Set([folder, dataDir])
  const releases = [...paths].map((path) => guard({ postgresDataDir: path, removeDir: path }))
  const remove = async () => {
    for (const path of paths) await rm(path, { recursive: true, force: true, maxRetries: 5 })
    for (const release of releases) release()
  }
  try {
    const server = await startPostgres({ dataDir: folder, durability: 'none' })
    return {
      url: server.url,
      pid: server.pid,
      async stop() {
        await server.stop()
        await remove()
      },
    }
  } catch (error) {
    await stopPostgres(folder).catch(() => {})
    await remove()
    throw error
  }
}

async function createDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  // `template0` is never in use, so that databases can be created at the same time.
  await runOn(serverUrl, `create database ${name} template template0`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const drop = () => runOn(serverUrl, `drop database if exists ${name} with (force)`)
  return { url: url.href, name, drop, [Symbol.asyncDispose]: drop }
}

async function runOn(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
