import type * as BulkOps from '@outrider/bulk-ops'
import type { BulkDatabase, BulkEntries } from '@outrider/bulk-ops'
import { getTableName, type Table } from 'drizzle-orm'
import { CommandError } from '../errors.ts'
import { usage } from '../values.ts'

/** Rows to write, by table; columns of foreign keys may hold a `ref()` to a row of another. */
export type BulksByModel = Iterable<readonly [table: Table, rows: readonly object[]]>

/** The columns, by table, that tell whether a row exists. */
export type NaturalKeys = ReadonlyMap<Table, readonly string[]>

/** What became of the rows of a table. */
export interface Counts {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
}

/** Loads bulk-ops, which is an optional peer. @throws {CommandError} with the line that installs it */
export async function loadBulkOps(): Promise<typeof BulkOps> {
  try {
    return await import('@outrider/bulk-ops')
  } catch (cause) {
    throw new CommandError('Imports write through bulk-ops: npm install @outrider/bulk-ops', { cause })
  }
}

/**
 * Writes rows in one transaction, those that others refer to first. Counts are by SQL name of the table.
 * @throws {CommandError} when the database refuses them
 */
export async function writeBulks(
  db: BulkDatabase,
  bulks: ReadonlyMap<Table, readonly object[]>,
  { naturalKeys, signal }: { naturalKeys: NaturalKeys; signal: AbortSignal },
): Promise<ReadonlyMap<string, Counts>> {
  const { bulkCreateBulksInSteps, isBulkOpsError } = await loadBulkOps()
  const onConflict = Array.from(naturalKeys, ([table, target]) => [table, { target }] as const)
  const step = Math.max(1, ...Array.from(bulks.values(), (rows) => rows.length))
  try {
    const entries = bulks as unknown as BulkEntries<Table[]>
    return (await bulkCreateBulksInSteps(db, entries, { onConflict, step, returning: 'none', signal })).counts
  } catch (error) {
    if (!isBulkOpsError(error) || !(error.cause instanceof Error)) throw error
    throw new CommandError(`${error.message}: ${error.cause.message}`, { cause: error })
  }
}

/** @throws {CommandError} when a table has no natural key and is to be upserted */
export function checkNaturalKeys(tables: Iterable<Table>, naturalKeys: NaturalKeys): void {
  for (const table of tables) {
    if (naturalKeys.has(table)) continue
    const name = getTableName(table)
    throw usage(`${name} has no natural key: name one in getNaturalKeys(), or use --mode create`)
  }
}
