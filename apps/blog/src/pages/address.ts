import { NotFoundError } from '../services/not-found.ts'

/** The values of a name in a query. */
export type QueryValue = string | readonly string[] | undefined

/** What was asked for, as Django would take it: the last of several values; undefined when there is nothing in it. */
export function textOf(value: QueryValue): string | undefined {
  const last = typeof value === 'string' ? value : value?.at(-1)
  return last?.replaceAll('\0', '').trim() || undefined // PostgreSQL takes no NUL
}

/** A slug in a path. @throws {NotFoundError} for what none can be */
export function slugOf(text = ''): string {
  if (!/^[\w-]+$/.test(text)) throw new NotFoundError()
  return text
}

/** Beyond any list: asks for its last page. */
const LAST_PAGE = 1_000_000

/** As lenient as Django's `get_page`: what is no number means the first page, a number below 1 the last. */
export function pageOf(value: QueryValue): number {
  const number = Number(textOf(value) ?? 1)
  if (!Number.isSafeInteger(number)) return 1
  return number < 1 ? LAST_PAGE : Math.min(number, LAST_PAGE)
}
