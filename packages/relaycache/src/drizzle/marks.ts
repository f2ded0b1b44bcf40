import { setTimeout as sleep } from 'node:timers/promises'
import type { CacheBackend } from '../backend.ts'
import type { Duration } from '../duration.ts'
import { InvalidationUnconfirmedError } from '../errors.ts'
import { NO_TAGS } from '../tags.ts'

/** Another process that marks the same table at the same moment takes the place of ours, so it is tried again. */
const MAX_TRIES = 10

/** @throws {InvalidationUnconfirmedError} when the backend did not take one of the marks */
export async function setMarks(
  backend: CacheBackend,
  marks: readonly string[],
  settle: Duration,
): Promise<void> {
  await Promise.all(marks.map((mark) => setMark(backend, mark, settle)))
}

async function setMark(backend: CacheBackend, mark: string, settle: Duration): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const { errors } = backend.counters
    if (await backend.set(mark, true, { ttl: settle })) return
    if (backend.counters.errors !== errors) break
    await sleep(Math.random() * 2 ** tries)
  }
  throw new InvalidationUnconfirmedError('invalidateTags', [], { cause: 'a table could not be marked' })
}

/** Whether one of the marks is set. A backend that fails says no, and counts an error. */
export async function hasMark(backend: CacheBackend, marks: readonly string[]): Promise<boolean> {
  const found = await Promise.all(marks.map(async (mark) => backend.peek(mark, NO_TAGS)))
  return found.some(({ hit }) => hit)
}
