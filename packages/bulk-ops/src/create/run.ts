import { BetterSqliteExecutor, type Client } from '../sqlite/better-sqlite-executor.ts'
import type { Driver } from '../drizzle/databases.ts'
import { tableMeta } from '../drizzle/tables.ts'
import { DrizzleExecutor } from '../drizzle-executor.ts'
import { AtomicityError, UnsupportedError } from '../errors.ts'
import type { Executor } from '../executor.ts'
import { PostgresExecutor } from '../postgres/postgres-executor.ts'
import { runAwaiting, runNow, step, type Steps } from '../steps.ts'
import type { TableMeta } from '../table-meta.ts'
import type { Table } from 'drizzle-orm'

/** The sessions over which PostgreSQL is sent plain SQL with text parameters. */
const POSTGRES_SESSIONS = new Set(['NodePgSession', 'PhantomDBSession'])

/** The metadata of a table under the naming of a database. @throws {UnsupportedError} when they do not fit. */
export function metaFor({ db, dialect }: Driver, table: Table): TableMeta {
  const meta = tableMeta(table, db.dialect.casing)
  if (meta.dialect === dialect) return meta
  throw new UnsupportedError(`${meta.name} is a table of ${meta.dialect}, and the database one of ${dialect}`)
}

/**
 * Runs the steps with the fastest executor for the driver; in one transaction or savepoint if atomic. Over a
 * synchronous driver everything has happened when this returns.
 * @throws {AtomicityError} when the driver cannot do that
 */
export async function run<T>(
  driver: Driver,
  atomic: boolean,
  body: (executor: Executor) => Steps<T>,
): Promise<T> {
  const executor = executorFor(driver)
  if (atomic && !executor.canTransact) throw new AtomicityError(driver.kind)
  const steps = (function* () {
    return atomic ? yield* step(executor.transaction(body)) : yield* body(executor)
  })()
  if (executor.isSynchronous) return runNow(steps)
  return 'nestedIndex' in driver.db ? inTurn(driver.db, () => runAwaiting(steps)) : runAwaiting(steps)
}

const turns = new WeakMap<object, Promise<unknown>>()

/** Lets calls on one transaction wait for each other: going back to a savepoint would undo what came after it. */
function inTurn<T>(tx: object, call: () => Promise<T>): Promise<T> {
  const turn = (turns.get(tx) ?? Promise.resolve()).then(call)
  turns.set(
    tx,
    turn.catch(() => {}),
  )
  return turn
}

/** Whether a driver does its work at once, so that rows that have to be waited for must be there before. */
export function isImmediate(driver: Driver): boolean {
  return driver.kind === 'BetterSQLiteSession'
}

function executorFor(driver: Driver): Executor {
  if (isImmediate(driver)) return new BetterSqliteExecutor(driver, driver.db.session.client as Client)
  return POSTGRES_SESSIONS.has(driver.kind) ? new PostgresExecutor(driver) : new DrizzleExecutor(driver)
}
