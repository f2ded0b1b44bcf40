import { createHash } from 'node:crypto'
import { UsageError } from '../errors.ts'
import { findForeignKeysPragma, findTransactionControl } from '../sql/script.ts'
import { isPlain } from '../values.ts'

/** One step in the history of a database's schema. Never change one that was applied anywhere: add another. */
export interface Migration {
  /**
   * Names it, and decides its place: versions are applied in ascending order, in which digits compare as numbers
   * (`9` before `10`, `1.9` before `1.10`) and all else by character code.
   */
  readonly version: string
  /** What it does, for people. */
  readonly name: string
  /** A script of one or more statements. */
  readonly up: string
  /** A script that undoes `up`. @default it cannot be rolled back */
  readonly down?: string | undefined
}

/** A migration with what is known of it before it runs. */
export interface CheckedMigration extends Migration {
  readonly checksum: string
}

const members = ['version', 'name', 'up', 'down']

/**
 * Checks a migration without running any of it.
 * @throws {UsageError} ERR_INVALID_ARGUMENT for what is no migration, ERR_TRANSACTION_CONTROL for a script that begins
 * or ends a transaction.
 */
export function checkMigration(migration: Migration): CheckedMigration {
  if (!isPlain(migration))
    throw argument('Expected a migration to be an object with version, name, up and perhaps down')
  const { version, name, up, down } = migration
  checkVersion(version)
  const unknown = Object.keys(migration).find((member) => !members.includes(member))
  if (unknown !== undefined)
    throw argument(
      `Expected migration ${version} to have ${members.join(', ')} only, got ${JSON.stringify(unknown)}`,
    )
  checkText(name, `the name of migration ${version}`)
  checkScript(up, `the SQL of migration ${version}`)
  if (down !== undefined) checkScript(down, `the down SQL of migration ${version}`)
  return { version, name, up, down, checksum: checksumOf(up) }
}

/** Checks a list and puts it in the order of versions. @throws {UsageError} as {@link checkMigration}, and for a version twice. */
export function checkMigrations(list: readonly Migration[]): CheckedMigration[] {
  if (!Array.isArray(list)) throw argument(`Expected a list of migrations, got ${typeof list}`)
  const checked = Array.from(list, checkMigration).toSorted((a, b) => compareVersions(a.version, b.version))
  for (const [index, { version }] of checked.entries()) {
    if (version === checked[index + 1]?.version)
      throw argument(`Expected each version once in the list of migrations, got ${version} twice`)
  }
  return checked
}

/** @throws {UsageError} when it can be no version. */
export function checkVersion(version: unknown): asserts version is string {
  checkText(version, 'the version of a migration')
}

function checkText(text: unknown, what: string): asserts text is string {
  const isText = typeof text === 'string' && text !== '' && text.trim() === text && isStorable(text)
  if (isText) return
  const got = typeof text === 'string' ? JSON.stringify(text) : typeof text
  throw argument(`Expected ${what} to be text without white space at its ends, got ${got}`)
}

/** @throws {UsageError} when it is no script that can run within a transaction. */
export function checkScript(script: unknown, what: string): asserts script is string {
  if (typeof script !== 'string' || script.trim() === '' || !isStorable(script))
    throw argument(`Expected ${what} to be a script without NUL, got ${kindOf(script)}`)
  const control = findTransactionControl(script)
  if (control) {
    throw new UsageError(
      'ERR_TRANSACTION_CONTROL',
      `Expected ${what} to leave transactions alone, got ${control.keyword} in line ${control.line}: it runs in a transaction of its own`,
    )
  }
  const pragma = findForeignKeysPragma(script)
  if (pragma) {
    throw argument(
      `Expected ${what} not to set ${pragma.keyword}, as in line ${pragma.line}: SQLite ignores it within a transaction. ` +
        'Set it with execute() before and after',
    )
  }
}

// SQLite would stop reading at a NUL, and store half a surrogate pair as another character
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function kindOf(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : typeof value
  return value.trim() === '' ? 'an empty string' : 'a string with NUL or half a surrogate pair'
}

/** SHA-256 of a script. Line endings do not count: a checkout on another system may change them. */
function checksumOf(script: string): string {
  return createHash('sha256').update(script.replaceAll('\r\n', '\n')).digest('hex')
}

/** The order of versions: see {@link Migration.version}. Zero only for the same version. */
export function compareVersions(a: string, b: string): number {
  const [as, bs] = [a.split(/(\d+)/), b.split(/(\d+)/)]
  for (const [index, x] of as.entries()) {
    const y = bs[index]
    if (y === undefined) return 1
    const order = index % 2 === 1 ? compare(BigInt(x), BigInt(y)) : compare(x, y)
    if (order !== 0) return order
  }
  return as.length < bs.length ? -1 : compare(a, b)
}

function compare<T extends bigint | string>(a: T, b: T): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function argument(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message)
}
