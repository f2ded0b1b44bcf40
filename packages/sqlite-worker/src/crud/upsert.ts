import { UsageError } from '../errors.ts'
import type { StoredValue } from '../protocol.ts'
import { isPlain, toStored, type DateFormat, type Value } from '../values.ts'
import { quoteIdentifier, quoteIdentifiers } from './identifiers.ts'
import { isNames } from './statement.ts'

/**
 * What happens to a row that a unique key refuses:
 * - `'ignore'`: it is left out, whichever key it was;
 * - `{ columns, ignore: true }`: it is left out when the unique key over these columns refuses it;
 * - `{ columns, update }`: the row that is there already is updated instead. `true` sets all columns of the new row
 *   that are not in `columns`, a list sets those columns to what the new row has, an object sets columns to its values.
 *
 * Another unique key than the one named still fails the statement, and so do NOT NULL and CHECK, always.
 */
export type OnConflict =
  | 'ignore'
  | { readonly columns: string | readonly string[]; readonly ignore: true; readonly update?: undefined }
  | {
      readonly columns: string | readonly string[]
      readonly ignore?: undefined
      readonly update: true | readonly string[] | Readonly<Record<string, Value>>
    }

const members = new Set(['columns', 'ignore', 'update'])

export function isOnConflict(value: unknown): value is OnConflict {
  if (value === 'ignore') return true
  if (!isPlain(value) || !Object.keys(value).every((name) => members.has(name))) return false
  const { columns, ignore, update } = value
  if (typeof columns !== 'string' && !isNames(columns)) return false
  if (ignore !== undefined) return ignore === true && update === undefined
  return update === true || isNames(update) || (isPlain(update) && Object.keys(update).length > 0)
}

/**
 * Writes the ON CONFLICT clause of an INSERT of these columns; appends the values it needs.
 * @throws {UsageError} where there is no column to insert, or one to update is not in the row.
 */
export function upsertClause(
  onConflict: OnConflict,
  inserted: readonly string[],
  params: StoredValue[],
  dates: DateFormat,
): string {
  if (inserted.length === 0)
    throw argument('Expected a row with at least one column beside onConflict, got an empty one')
  if (onConflict === 'ignore') return ' ON CONFLICT DO NOTHING'
  const keys = typeof onConflict.columns === 'string' ? [onConflict.columns] : onConflict.columns
  const target = ` ON CONFLICT (${quoteIdentifiers(keys)}) DO`
  if (onConflict.update === undefined) return `${target} NOTHING`
  const { update } = onConflict
  if (update === true || isNames(update)) {
    const names = update === true ? allBut(keys, inserted) : update
    return `${target} UPDATE SET ${names.map((name) => fromNewRow(name, inserted)).join(', ')}`
  }
  const assignments = Object.entries(update).map(([name, value]) => {
    params.push(toStored(value, name, dates))
    return `${quoteIdentifier(name)} = ?`
  })
  return `${target} UPDATE SET ${assignments.join(', ')}`
}

/** A row of nothing but its key still counts as updated: a key set to itself. */
function allBut(keys: readonly string[], inserted: readonly string[]): readonly string[] {
  const others = inserted.filter((name) => !keys.includes(name))
  return others.length > 0 ? others : inserted
}

function fromNewRow(name: string, inserted: readonly string[]): string {
  if (!inserted.includes(name))
    throw argument(`Expected onConflict to update columns of the row, which has no ${JSON.stringify(name)}`)
  const column = quoteIdentifier(name)
  return `${column} = excluded.${column}`
}

function argument(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message)
}
