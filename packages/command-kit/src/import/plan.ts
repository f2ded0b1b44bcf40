import { isDeepStrictEqual } from 'node:util'
import { and, getTableColumns, getTableName, inArray, type Column, type SQL, type Table } from 'drizzle-orm'
import { loadBulkOps, type Counts, type NaturalKeys } from './write.ts'

type Row = Readonly<Record<string, unknown>>

/** The part of a Drizzle database that reads. */
interface Reader {
  select(fields: Record<string, Column>): {
    from(table: Table): { where(condition: SQL | undefined): PromiseLike<Row[]> }
  }
}

/** Stands for the key of a row that a dry run would have created. */
class Planned {
  readonly id: number
  readonly values: Row

  constructor(id: number, values: Row) {
    this.id = id
    this.values = values
  }
}

/** Rows of one natural key in a batch: they become one row. */
interface Merged {
  readonly originals: object[]
  values: Row
}

/** Rows that one query looks for: SQLite takes 32 766 parameters. */
const lookupStep = 5000

const refBrand = Symbol.for('@outrider/bulk-ops/ref')

/**
 * Says what writing rows would do, by reading alone. Rows of earlier batches that would have been created count as
 * existing, so that a dry run of a whole import counts what the import would.
 */
export class Plan {
  readonly #db: Reader
  readonly #naturalKeys: NaturalKeys
  readonly #planned = new Map<Table, Map<string, Planned>>()
  #lastId = 0

  constructor(db: unknown, naturalKeys: NaturalKeys) {
    this.#db = db as Reader
    this.#naturalKeys = naturalKeys
  }

  /** What writing these rows would create, update and leave, by SQL name of the table. */
  async count(bulks: ReadonlyMap<Table, readonly object[]>): Promise<ReadonlyMap<string, Counts>> {
    const { topologicalSortModels } = await loadBulkOps()
    // for each row object of the batch, its primary key, or the Planned that stands for it
    const keys = new Map<object, unknown>()
    const counts = new Map<string, Counts>()
    for (const table of topologicalSortModels(bulks.keys()))
      counts.set(getTableName(table), await this.#countTable(table, bulks.get(table) ?? [], keys))
    return counts
  }

  async #countTable(table: Table, rows: readonly object[], keys: Map<object, unknown>): Promise<Counts> {
    const naturalKey = this.#naturalKeys.get(table) ?? []
    const primaryKey = Object.entries(getTableColumns(table)).find(([, column]) => column.primary)?.[0]
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const { merged, keyless } = mergeRows(rows, { naturalKey, keys })
    for (const { original, values } of keyless) {
      counts.created += 1
      keys.set(original, this.#plan(values))
    }
    const existing = await this.#findExisting(
      table,
      naturalKey,
      Array.from(merged.values(), ({ values }) => values),
    )
    const planned = this.#planned.get(table) ?? new Map<string, Planned>()
    this.#planned.set(table, planned)
    for (const [key, { originals, values }] of merged) {
      const stored = existing.get(key)
      const before = stored ?? planned.get(key)?.values
      const isChanged =
        before &&
        Object.entries(values).some(
          ([name, value]) => name !== primaryKey && value !== undefined && !isSame(value, before[name]),
        )
      counts[before ? (isChanged ? 'updated' : 'unchanged') : 'created'] += 1
      if (!stored && (!before || isChanged)) planned.set(key, this.#plan({ ...before, ...values }))
      const written = stored && primaryKey !== undefined ? stored[primaryKey] : planned.get(key)
      for (const original of originals) keys.set(original, written)
    }
    return counts
  }

  #plan(values: Row): Planned {
    return new Planned(++this.#lastId, values)
  }

  async #findExisting(
    table: Table,
    naturalKey: readonly string[],
    rows: readonly Row[],
  ): Promise<Map<string, Row>> {
    const columns = getTableColumns(table)
    const found = new Map<string, Row>()
    const wanted = rows.filter((row) => !naturalKey.some((name) => row[name] instanceof Planned))
    for (let start = 0; start < wanted.length; start += lookupStep) {
      const chunk = wanted.slice(start, start + lookupStep)
      const conditions = naturalKey.map((name) => {
        const column = columns[name]
        if (!column)
          throw new TypeError(`The natural key of ${getTableName(table)} names ${name}, which is no column`)
        return inArray(column, [...new Set(chunk.map((row) => row[name]))])
      })
      for (const row of await this.#db
        .select(columns)
        .from(table)
        .where(and(...conditions))) {
        const key = keyOf(row, naturalKey)
        if (key !== undefined) found.set(key, row)
      }
    }
    return found
  }
}

/** Puts rows of one natural key together, later values over earlier ones, and sets apart those without a whole key. */
function mergeRows(
  rows: readonly object[],
  { naturalKey, keys }: { naturalKey: readonly string[]; keys: ReadonlyMap<object, unknown> },
): { merged: Map<string, Merged>; keyless: { original: object; values: Row }[] } {
  const merged = new Map<string, Merged>()
  const keyless: { original: object; values: Row }[] = []
  for (const original of rows) {
    const values = resolveRefs(original, keys)
    const key = keyOf(values, naturalKey)
    const earlier = key === undefined ? undefined : merged.get(key)
    if (earlier) {
      earlier.originals.push(original)
      earlier.values = { ...earlier.values, ...values }
    } else if (key === undefined) keyless.push({ original, values })
    else merged.set(key, { originals: [original], values })
  }
  return { merged, keyless }
}

/** The given values of a row; a `ref()` as the key of the row that it names. */
function resolveRefs(row: object, keys: ReadonlyMap<object, unknown>): Row {
  const entries = Object.entries(row).map(([name, value]: [string, unknown]) => {
    const isRef = typeof value === 'object' && value !== null && refBrand in value
    return [name, isRef ? keys.get(value[refBrand] as object) : value] as const
  })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/** The natural key of a row as text; undefined when it is not whole. */
function keyOf(row: Row, naturalKey: readonly string[]): string | undefined {
  const parts = naturalKey.map((name) => row[name])
  if (parts.length === 0 || parts.some((part) => part === null || part === undefined)) return undefined
  return JSON.stringify(parts.map((part) => (part instanceof Planned ? [part.id] : String(part))))
}

/** Whether a value is what is stored; a decimal may come back as text. */
function isSame(given: unknown, stored: unknown): boolean {
  if (typeof given === 'number' && typeof stored === 'string') return given === Number(stored)
  return isDeepStrictEqual(given, stored)
}
