import type Pl from 'nodejs-polars'
import { CommandError } from '../errors.ts'

/** The module of nodejs-polars. */
export type Polars = typeof Pl
/** A table of columns in memory. */
export type Frame = Pl.DataFrame
/** One column. */
export type Series = Pl.Series

/** Loads Polars, which is an optional peer. @throws {CommandError} with the line that installs it */
export async function loadPolars(): Promise<Polars> {
  try {
    return (await import('nodejs-polars')).default
  } catch (cause) {
    throw new CommandError('Imports need Polars: npm install nodejs-polars@0.24', { cause })
  }
}

/** The rows of a frame as objects, one at a time. Faster than `toRecords()`, which makes them all at once. */
export function* rowsOf<TRow extends object = Record<string, unknown>>(
  df: Frame,
): Generator<TRow, void, undefined> {
  const names: string[] = df.columns
  const columns = names.map((name) => df.getColumn(name).toArray() as unknown[])
  for (let row = 0; row < df.height; row += 1) {
    const entries = names.map((name, column) => [name, columns[column]?.[row] ?? null] as const)
    yield Object.fromEntries(entries) as TRow
  }
}
