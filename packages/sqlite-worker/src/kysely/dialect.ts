import {
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
} from 'kysely'
import { checkOptions, type OptionChecks } from '../check-options.ts'
import { InvalidOptionError } from '../errors.ts'
import type { SqliteWorkerOptions } from '../options.ts'
import { SqliteWorkerAdapter } from './adapter.ts'
import { SqliteWorkerDriver, type WorkerSource } from './driver.ts'
import type { KyselyWorker } from './worker.ts'

/** A worker that stays open when Kysely is destroyed, or a file for a worker of Kysely's own. */
export type SqliteWorkerDialectConfig =
  | {
      /** Its caller closes it; `db.destroy()` does not. */
      readonly worker: KyselyWorker
    }
  | {
      /** Opened with the first query and closed by `db.destroy()`. */
      readonly file: string
      /** @default {} */
      readonly options?: SqliteWorkerOptions
    }

/** What a config may hold, whichever of the two it is. */
interface AnyConfig {
  readonly worker?: KyselyWorker
  readonly file?: string
  readonly options?: SqliteWorkerOptions
}

const configChecks: OptionChecks<AnyConfig> = {
  worker: { expected: 'a SqliteWorker', accepts: isObject },
  file: { expected: 'a path', accepts: (value) => typeof value === 'string' },
  options: { expected: 'options of a SqliteWorker', accepts: isObject },
}

/**
 * Kysely's dialect for SQLite on worker threads. Queries never wait for a connection; a transaction gets the writer to
 * itself, and writes made outside of it wait and are never part of it.
 *
 * Inside the callback of `db.transaction()` use the `trx` it gets: a write on `db` waits for the transaction to end.
 * @example
 * const db = new Kysely<Database>({ dialect: new SqliteWorkerDialect({ worker }) })
 */
export class SqliteWorkerDialect implements Dialect {
  readonly #source: WorkerSource

  /** @throws {InvalidOptionError} when an option is unknown or does not fit, or not exactly one of worker and file is given. */
  constructor(config: SqliteWorkerDialectConfig) {
    this.#source = sourceOf(config)
  }

  createDriver(): Driver {
    return new SqliteWorkerDriver(this.#source)
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler()
  }

  createAdapter(): DialectAdapter {
    return new SqliteWorkerAdapter()
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db)
  }
}

function sourceOf(config: AnyConfig): WorkerSource {
  checkOptions(config, configChecks)
  const { worker, file, options } = config
  if (worker !== undefined && file === undefined && options === undefined)
    return { isOwned: false, open: async () => worker }
  if (worker !== undefined || file === undefined)
    throw new InvalidOptionError('Expected either worker, or file and perhaps options')
  return {
    isOwned: true,
    open: async () => {
      const { SqliteWorker } = await import('../sqlite-worker.ts')
      return new SqliteWorker(file, options)
    },
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
