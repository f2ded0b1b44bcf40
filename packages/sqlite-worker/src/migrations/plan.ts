import { MigrationError } from '../errors.ts'
import type { AppliedMigration } from './history.ts'
import { compareVersions, type CheckedMigration } from './migration.ts'

/**
 * How a migration stands to a database:
 * - `applied`: it has it;
 * - `pending`: it lacks it, and the next run applies it;
 * - `out-of-order`: it lacks it, but has one of a later version, which stops the next run;
 * - `changed`: it has it, but applied with another script, which stops the next run;
 * - `unknown`: it has it, but it is not in the list.
 */
export type MigrationState = 'applied' | 'pending' | 'out-of-order' | 'changed' | 'unknown'

export interface MigrationStatus {
  readonly version: string
  readonly name: string
  readonly state: MigrationState
  /** Undefined for one that the database lacks. */
  readonly appliedAt: Date | undefined
}

/** What one planned step runs. */
export type PlannedStep =
  | { readonly direction: 'up'; readonly migration: CheckedMigration }
  | {
      readonly direction: 'down'
      readonly version: string
      readonly name: string
      /** Undefined for the script that it was applied with. */
      readonly down: string | undefined
    }

export interface PlanOptions {
  /** The newest version the database shall have; null for none at all. Undefined for all of the list. */
  readonly to: string | null | undefined
  readonly allowDown: boolean
  readonly allowOutOfOrder: boolean
}

/**
 * The steps that lead from a history to a target, each with its script.
 * @throws {MigrationError} when one of them, or the history, does not allow it. Nothing has run then.
 */
export function planSteps(
  list: readonly CheckedMigration[],
  history: readonly AppliedMigration[],
  { to, allowDown, allowOutOfOrder }: PlanOptions,
): PlannedStep[] {
  checkTarget(list, history, to)
  const wanted = list.filter(({ version }) => isWithin(version, to))
  for (const migration of list) checkUnchanged(migration, find(history, migration.version))
  const tooNew = to === undefined ? [] : history.filter(({ version }) => !isWithin(version, to))
  if (tooNew.length > 0 && !allowDown) {
    const [{ version }] = tooNew as [AppliedMigration]
    throw new MigrationError(
      'ERR_MIGRATION_ORDER',
      `Version ${version} is applied and newer than the target; pass {allowDown: true} to roll it back`,
      { version, direction: 'down' },
    )
  }
  const down = tooNew.toReversed().map((applied): PlannedStep => downStep(applied, list))
  const kept = history.filter((applied) => !tooNew.includes(applied))
  const pending = wanted.filter(({ version }) => !find(kept, version))
  if (!allowOutOfOrder) for (const migration of pending) checkOrder(migration, kept)
  return [...down, ...pending.map((migration): PlannedStep => ({ direction: 'up', migration }))]
}

/** How each migration stands, in the order of versions. */
export function statusOf(
  list: readonly CheckedMigration[],
  history: readonly AppliedMigration[],
): MigrationStatus[] {
  const known = list.map(({ version, name, checksum }): MigrationStatus => {
    const applied = find(history, version)
    return {
      version,
      name,
      state: stateOf({ version, checksum }, applied, history),
      appliedAt: applied?.appliedAt,
    }
  })
  const unknown = history
    .filter(({ version }) => !find(list, version))
    .map(({ version, name, appliedAt }): MigrationStatus => ({ version, name, state: 'unknown', appliedAt }))
  return [...known, ...unknown].toSorted((a, b) => compareVersions(a.version, b.version))
}

function stateOf(
  { version, checksum }: Pick<CheckedMigration, 'version' | 'checksum'>,
  applied: AppliedMigration | undefined,
  history: readonly AppliedMigration[],
): MigrationState {
  if (applied) return isSame(checksum, applied) ? 'applied' : 'changed'
  return newerThan(version, history) ? 'out-of-order' : 'pending'
}

/** @throws {MigrationError} when a migration was applied with another script. */
export function checkUnchanged(migration: CheckedMigration, applied: AppliedMigration | undefined): void {
  if (!applied || isSame(migration.checksum, applied)) return
  const { version } = migration
  throw new MigrationError(
    'ERR_MIGRATION_CHANGED',
    `Migration ${version} was applied with another script; add a migration instead of changing one`,
    { version, direction: 'up' },
  )
}

/** @throws {MigrationError} when a later version is applied already. */
export function checkOrder({ version }: CheckedMigration, history: readonly AppliedMigration[]): void {
  const newer = newerThan(version, history)
  if (!newer) return
  throw new MigrationError(
    'ERR_MIGRATION_ORDER',
    `Migration ${version} is older than ${newer.version}, which is applied; give it a later version, ` +
      'or pass {allowOutOfOrder: true} to migrate()',
    { version, direction: 'up' },
  )
}

/** The entry of a version. */
export function find<T extends { readonly version: string }>(
  entries: readonly T[],
  version: string,
): T | undefined {
  return entries.find((entry) => entry.version === version)
}

/** @throws {MigrationError} when nothing tells how to undo it. */
export function requireDown(version: string, down: string | undefined): string {
  if (down !== undefined) return down
  throw new MigrationError('ERR_MIGRATION_DOWN', `There is no SQL to roll back migration ${version}`, {
    version,
    direction: 'down',
  })
}

function downStep(applied: AppliedMigration, list: readonly CheckedMigration[]): PlannedStep {
  const { version, name } = applied
  return {
    direction: 'down',
    version,
    name,
    down: requireDown(version, find(list, version)?.down ?? applied.down),
  }
}

function checkTarget(
  list: readonly CheckedMigration[],
  history: readonly AppliedMigration[],
  to: PlanOptions['to'],
): void {
  if (to === undefined || to === null || find(list, to) || find(history, to)) return
  throw new MigrationError(
    'ERR_MIGRATION_UNKNOWN',
    `There is no migration ${to} in the list or the database`,
    {
      version: to,
      direction: 'up',
    },
  )
}

function isWithin(version: string, to: PlanOptions['to']): boolean {
  return to === undefined || (to !== null && compareVersions(version, to) <= 0)
}

function newerThan(version: string, history: readonly AppliedMigration[]): AppliedMigration | undefined {
  return history.find((applied) => compareVersions(applied.version, version) > 0)
}

function isSame(checksum: string, applied: AppliedMigration): boolean {
  return applied.checksum === undefined || applied.checksum === checksum
}
