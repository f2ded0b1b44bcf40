import type { Table } from 'drizzle-orm'
import { tableMeta } from './drizzle/tables.ts'
import { CycleError } from './errors.ts'
import type { ForeignKeyMeta } from './table-meta.ts'

/**
 * Orders tables so that each comes after those it refers to, and otherwise as given. References to the table itself
 * and to tables that are not given do not count. Where tables refer in a circle, a foreign key that may be null
 * gives way.
 * @throws {CycleError} when no foreign key of a circle may be null
 * @example
 * topologicalSortModels([books, authors]) // [authors, books]
 */
export function topologicalSortModels<T extends Table>(tables: Iterable<T>): T[] {
  const waiting = new Set(tables)
  const sorted: T[] = []
  while (waiting.size > 0) {
    const next =
      [...waiting].find((table) => keysAmong(waiting, table).length === 0) ??
      firstOfCircle(circleAmong(waiting))
    waiting.delete(next)
    sorted.push(next)
  }
  return sorted
}

/** The foreign keys of a table that refer to others of these tables. */
function keysAmong(tables: ReadonlySet<Table>, table: Table): ForeignKeyMeta[] {
  return tableMeta(table).foreignKeys.filter(
    (key) => key.foreignTable !== table && tables.has(key.foreignTable),
  )
}

/** Tables that all refer to each other, over several steps, and to none of the rest. */
function circleAmong<T extends Table>(tables: ReadonlySet<T>): ReadonlySet<T> {
  const reached = new Map([...tables].map((table) => [table, reachedFrom(tables, table)]))
  const isLast = (table: T) => [...(reached.get(table) ?? [])].every((each) => reached.get(each)?.has(table))
  const start = [...tables].find(isLast)
  return (start && reached.get(start)) ?? tables
}

function reachedFrom<T extends Table>(tables: ReadonlySet<T>, from: Table): Set<T> {
  const reached = new Set<Table>()
  const next = [from]
  for (let table = next.pop(); table; table = next.pop()) {
    for (const { foreignTable } of keysAmong(tables, table)) {
      if (reached.has(foreignTable)) continue
      reached.add(foreignTable)
      next.push(foreignTable)
    }
  }
  return new Set([...tables].filter((table) => reached.has(table)))
}

function firstOfCircle<T extends Table>(circle: ReadonlySet<T>): T {
  const next = [...circle].find((table) => keysAmong(circle, table).every((key) => key.isNullable))
  if (next) return next
  const path: { name: string; table: Table; foreignKey: string }[] = []
  let table: Table | undefined = [...circle][0]
  while (table && !path.some((step) => step.table === table)) {
    const via: ForeignKeyMeta | undefined = keysAmong(circle, table).find((key) => !key.isNullable)
    const { name } = tableMeta(table)
    path.push({ name, table, foreignKey: `${name}(${via?.columns.map((column) => column.name).join(', ')})` })
    table = via?.foreignTable
  }
  const round = path.slice(path.findIndex((step) => step.table === table))
  const names = round.map(({ name }) => name)
  throw new CycleError(
    [...names, ...names.slice(0, 1)],
    round.map(({ foreignKey }) => foreignKey),
  )
}
