import type { Executor } from '../executor.ts'
import { step, type Steps } from '../steps.ts'

/** Undoes a trial. */
const undo = Symbol('undo')

/**
 * The first row of a chunk that cannot be written, found by writing ever shorter beginnings of it and undoing them.
 * Undefined when the failure is not due to a row, such as a lost connection.
 *
 * @param write writes that many rows of the chunk
 */
export function* locateRow(
  executor: Executor,
  { count, error }: { count: number; error: unknown },
  write: (executor: Executor, count: number) => Steps<unknown>,
): Steps<number | undefined> {
  if (!isAboutRows(error)) return undefined
  if (count === 1) return 0
  if (!executor.canTransact) return undefined
  let writable = 0
  let failing = count
  while (failing - writable > 1) {
    const middle = Math.floor((writable + failing) / 2)
    const failure = yield* trial(executor, (inside) => write(inside, middle))
    if (failure === undefined) writable = middle
    else if (codeOf(failure) === codeOf(error)) failing = middle
    else return undefined
  }
  return failing - 1
}

function* trial(executor: Executor, write: (executor: Executor) => Steps<unknown>): Steps<unknown> {
  try {
    yield* step(
      executor.transaction(function* (inside) {
        yield* write(inside)
        throw undo
      }),
    )
  } catch (error) {
    return error === undo ? undefined : error
  }
}

/** Whether an error comes from a value: SQLSTATE classes 21, 22, 23, 42 and P0, SQLite's constraints, encoders. */
function isAboutRows(error: unknown): boolean {
  const code = codeOf(error)
  return /^(21|22|23|42|P0)[\dA-Z]{3}$|^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)|^(Type|Range)Error$/.test(code)
}

/** The database's code of an error, which Drizzle and clients wrap. */
function codeOf(error: unknown): string {
  for (let of = error; of instanceof Error; of = of.cause) {
    if ('sqlstate' in of && typeof of.sqlstate === 'string') return of.sqlstate
    if ('code' in of && typeof of.code === 'string') return of.code
    if (of instanceof TypeError || of instanceof RangeError) return of.name
  }
  return ''
}
