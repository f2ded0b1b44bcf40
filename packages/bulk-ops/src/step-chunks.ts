/**
 * Cuts rows into chunks of at most `step` rows, in order, without copying more than one chunk at a time.
 *
 * @param rows any iterable; it is read as the chunks are
 * @param step rows in a chunk, an integer of 1 or more
 * @throws {RangeError} when `step` is anything else
 * @example
 * [...getStepChunks([1, 2, 3, 4, 5, 6, 7], 3)] // [[1, 2, 3], [4, 5, 6], [7]]
 */
export function getStepChunks<T>(rows: Iterable<T>, step = 1000): IterableIterator<T[]> {
  if (!Number.isSafeInteger(step) || step < 1) {
    const got = typeof step === 'number' ? `${step} (number)` : typeof step
    throw new RangeError(`Expected step to be an integer of 1 or more, got ${got}`)
  }
  return chunks(rows, step)
}

/** The same for rows that may have to be waited for. */
export async function* getAsyncStepChunks<T>(
  rows: AsyncIterable<T>,
  step: number,
): AsyncGenerator<T[], void> {
  let chunk: T[] = []
  for await (const row of rows) {
    chunk.push(row)
    if (chunk.length < step) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

function* chunks<T>(rows: Iterable<T>, step: number): Generator<T[], void> {
  let chunk: T[] = []
  for (const row of rows) {
    chunk.push(row)
    if (chunk.length < step) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
