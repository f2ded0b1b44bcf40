import type { TableMeta } from '../table-meta.ts'
import { UnresolvedRefError } from '../errors.ts'
import type { Row } from '../executor.ts'
import { referencedRow } from '../ref.ts'
import { getAsyncStepChunks, getStepChunks } from '../step-chunks.ts'
import { step as waitFor, type Steps } from '../steps.ts'

/** Rows, or a stream of them. */
export type Source<T> = Iterable<T> | AsyncIterable<T>

/** Rows to write together, with their places among the given ones. */
export interface Chunk {
  readonly rows: readonly Row[]
  readonly indexes: readonly number[]
}

/** Whether rows have to be waited for. */
export function isAsync<T>(source: Source<T>): source is AsyncIterable<T> {
  return Symbol.asyncIterator in source
}

/** All rows of a stream. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const rows: T[] = []
  for await (const row of source) rows.push(row)
  return rows
}

/** Reads chunks as they are needed, and closes the source when the work on one of them fails. */
export function* eachChunk(
  source: Source<Row>,
  step: number,
  work: (chunk: Chunk) => Steps<void>,
): Steps<void> {
  const chunks = isAsync(source) ? getAsyncStepChunks(source, step) : getStepChunks(source, step)
  let start = 0
  try {
    for (;;) {
      const next = yield* waitFor<IteratorResult<Row[], void>>(chunks.next())
      if (next.done) return
      const rows = next.value
      yield* work({ rows, indexes: rows.map((_, index) => start + index) })
      start += rows.length
    }
  } finally {
    yield* waitFor<unknown>(chunks.return?.())
  }
}

/**
 * Chunks of rows that may refer to each other: those that refer to none first, then those that refer to these, and
 * so on.
 * @throws {UnresolvedRefError} when rows refer to each other in a circle
 */
export function* chunksByLevel(rows: readonly Row[], step: number, table: TableMeta): Generator<Chunk> {
  const levels = levelsOf(rows, table)
  for (const indexes of levels) {
    for (const chunk of getStepChunks(indexes, step)) {
      yield { indexes: chunk, rows: chunk.map((index) => rows[index] ?? {}) }
    }
  }
}

function levelsOf(rows: readonly Row[], table: TableMeta): number[][] {
  const keys = table.foreignKeys
    .filter((key) => key.foreignTable === table.table)
    .flatMap(({ columns }) => columns)
  const waiting = new Set<object>(rows)
  const levels: number[][] = []
  let left = [...rows.keys()]
  while (left.length > 0) {
    const refersBack = (index: number) =>
      keys.find(({ key }) => waiting.has(referencedRow(rows[index]?.[key]) ?? keys))
    const level = left.filter((index) => !refersBack(index))
    const [rowIndex = 0] = left
    if (level.length === 0) {
      const facts = { table: table.name, column: refersBack(rowIndex)?.key ?? '', rowIndex }
      throw new UnresolvedRefError(facts, 'is part of a circle of rows')
    }
    for (const index of level) waiting.delete(rows[index] ?? keys)
    const done = new Set(level)
    left = left.filter((index) => !done.has(index))
    levels.push(level)
  }
  return levels
}
