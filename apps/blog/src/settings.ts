import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const environment = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  DATA_DIR: z
    .string()
    .min(1)
    .default(fileURLToPath(new URL('../data', import.meta.url))),
  WORKER_DB_PATH: z.string().min(1).optional(),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .refine((url) => !URL.canParse(url) || /^\/?\d*$/.test(new URL(url).pathname), {
      error: 'expected its path to be the number of a database, such as /1',
    })
    .optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  PHANTOMDB_HOST: z.url({ protocol: /^https?$/ }).optional(),
  ADMIN_TOKEN: z.string().min(16).optional(),
})

/** Everything that can be set from outside, checked once. */
export interface Settings {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host: string
  /** Port to listen on; 0 takes any that is free. @default 8000 */
  readonly port: number
  /** Folder of the embedded databases, made when it is missing. @default apps/blog/data */
  readonly dataDir: string
  /** The SQLite file of page views and the audit log; its folder is made when missing. @default analytics.db in dataDir */
  readonly analyticsFile: string
  /** The Redis that the processes share their cache in; each has its own in memory when absent. */
  readonly redisUrl: string | undefined
  /** The PostgreSQL behind the gateway; embedded when absent. */
  readonly databaseUrl: string | undefined
  /** A PhantomDB gateway that runs already; one is started when absent. */
  readonly phantomUrl: string | undefined
  /** What staff sends to clear the cache over HTTP; nobody can when absent. */
  readonly adminToken: string | undefined
}

/** The variables that give another process these settings, as far as they are about data. */
export function dataEnvironment({ dataDir, databaseUrl, phantomUrl }: Settings): Record<string, string> {
  return { DATA_DIR: dataDir, DATABASE_URL: databaseUrl ?? '', PHANTOMDB_HOST: phantomUrl ?? '' }
}

/** An environment variable does not fit; the message names each one and never shows its value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** Reads the settings; an empty variable counts as absent. @throws {SettingsError} naming each variable that does not fit. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = environment.safeParse(given)
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new SettingsError(`These environment variables do not fit:\n  ${problems.join('\n  ')}`)
  }
  const { HOST, PORT, DATA_DIR, WORKER_DB_PATH, REDIS_URL, DATABASE_URL, PHANTOMDB_HOST, ADMIN_TOKEN } =
    result.data
  return Object.freeze({
    host: HOST,
    port: PORT,
    dataDir: DATA_DIR,
    analyticsFile: resolve(WORKER_DB_PATH ?? join(DATA_DIR, 'analytics.db')),
    redisUrl: REDIS_URL,
    databaseUrl: DATABASE_URL,
    phantomUrl: PHANTOMDB_HOST,
    adminToken: ADMIN_TOKEN,
  })
}
