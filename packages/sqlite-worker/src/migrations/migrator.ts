import { MigrationError, StatementError } from '../errors.ts'
import { exclusively, isBusy, type MigrationTarget, type MigrationTransaction } from './exclusively.ts'
import {
  addToHistory,
  openHistory,
  readHistory,
  removeFromHistory,
  type AppliedMigration,
} from './history.ts'
import {
  checkMigration,
  checkMigrations,
  checkScript,
  checkVersion,
  type CheckedMigration,
  type Migration,
} from './migration.ts'
import {
  LOCK_TIMEOUT_MS,
  resolveMigrateOptions,
  type MigrateOptions,
  type ResolvedMigrateOptions,
} from './options.ts'
import {
  checkOrder,
  checkUnchanged,
  find,
  planSteps,
  requireDown,
  statusOf,
  type MigrationStatus,
  type PlannedStep,
} from './plan.ts'
import type { MigrationStep } from './step.ts'

/**
 * Applies migrations to a database and takes them back, each in a transaction of its own that holds the write lock.
 * Whether there is anything to do is decided within that transaction, so that of several processes one does it.
 */
export class Migrator {
  readonly #target: MigrationTarget

  constructor(target: MigrationTarget) {
    this.#target = target
  }

  /** Applies one migration; false when the database has it. */
  async apply(migration: Migration): Promise<boolean> {
    const step: PlannedStep = { direction: 'up', migration: checkMigration(migration) }
    return this.#run(step, { allowOutOfOrder: false, lockTimeoutMs: LOCK_TIMEOUT_MS }, [])
  }

  /** Takes one migration back, with the script given or the one it was applied with; false when it is not applied. */
  async rollback(version: string, down?: string): Promise<boolean> {
    checkVersion(version)
    if (down !== undefined) checkScript(down, `the down SQL of migration ${version}`)
    const step: PlannedStep = { direction: 'down', version, name: version, down }
    return this.#run(step, { allowOutOfOrder: true, lockTimeoutMs: LOCK_TIMEOUT_MS }, [])
  }

  /** What the database has, in the order it was applied. */
  async applied(): Promise<AppliedMigration[]> {
    return readHistory(this.#target)
  }

  /** How each migration of a list, and each that the database has, stands. */
  async status(list: readonly Migration[]): Promise<MigrationStatus[]> {
    return statusOf(checkMigrations(list), await readHistory(this.#target))
  }

  /** Brings the database to the target; resolves to what it did, in order. */
  async migrate(list: readonly Migration[], options?: MigrateOptions): Promise<MigrationStep[]> {
    const resolved = resolveMigrateOptions(options)
    const checked = checkMigrations(list)
    if (resolved.dryRun) return this.#tryOut(checked, resolved)
    const completed: MigrationStep[] = []
    for (const step of planSteps(checked, await readHistory(this.#target), resolved)) {
      if (await this.#run(step, resolved, completed)) completed.push(aboutStep(step))
    }
    return completed
  }

  async #run(
    step: PlannedStep,
    { allowOutOfOrder, lockTimeoutMs }: Pick<ResolvedMigrateOptions, 'allowOutOfOrder' | 'lockTimeoutMs'>,
    completed: readonly MigrationStep[],
  ): Promise<boolean> {
    try {
      return await exclusively(this.#target, (tx) => runStep(tx, step, allowOutOfOrder), lockTimeoutMs)
    } catch (error) {
      throw failureOf(error, step, completed)
    }
  }

  /** Runs all steps in one transaction, which it rolls back. */
  async #tryOut(
    list: readonly CheckedMigration[],
    options: ResolvedMigrateOptions,
  ): Promise<MigrationStep[]> {
    let completed: MigrationStep[] = []
    const end = new Error('The end of a dry run')
    const runAll = async (tx: MigrationTransaction): Promise<never> => {
      completed = []
      for (const step of planSteps(list, await openHistory(tx), options)) {
        try {
          await runStep(tx, step, options.allowOutOfOrder)
        } catch (error) {
          throw failureOf(error, step, completed)
        }
        completed.push(aboutStep(step))
      }
      throw end
    }
    try {
      await exclusively(this.#target, runAll, options.lockTimeoutMs)
    } catch (error) {
      if (error !== end) throw error
    }
    return completed
  }
}

/** False when there is nothing to do, perhaps because another process did it meanwhile. */
async function runStep(
  tx: MigrationTransaction,
  step: PlannedStep,
  allowOutOfOrder: boolean,
): Promise<boolean> {
  const history = await openHistory(tx)
  if (step.direction === 'up') {
    const { migration } = step
    const applied = find(history, migration.version)
    if (applied) {
      checkUnchanged(migration, applied)
      return false
    }
    if (!allowOutOfOrder) checkOrder(migration, history)
    await tx.executeScript(migration.up)
    await addToHistory(tx, migration)
    return true
  }
  const applied = find(history, step.version)
  if (!applied) return false
  const down = requireDown(step.version, step.down ?? applied.down)
  checkScript(down, `the down SQL of migration ${step.version}`) // the file may have it from anywhere
  await tx.executeScript(down)
  await removeFromHistory(tx, step.version)
  return true
}

function aboutStep(step: PlannedStep): MigrationStep {
  const { version, name } = step.direction === 'up' ? step.migration : step
  return { version, name, direction: step.direction }
}

/** The error of a step that SQLite refused, at its commit too; others speak for themselves. */
function failureOf(error: unknown, step: PlannedStep, completed: readonly MigrationStep[]): unknown {
  if (!(error instanceof StatementError) || isBusy(error)) return error
  const { version, direction } = aboutStep(step)
  const what = direction === 'up' ? 'applied' : 'rolled back'
  return new MigrationError(
    'ERR_MIGRATION_FAILED',
    `Migration ${version} could not be ${what}, and nothing of it is left: ${error.message}`,
    { version, direction, completed: [...completed], cause: error },
  )
}
