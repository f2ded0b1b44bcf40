import type { Int64Mode } from '../protocol.ts'

/** How many statements a thread keeps prepared, and how many characters they may have together. */
const MAX_STATEMENTS = 1000
const MAX_CHARACTERS = 2 ** 22

/** Names statements by number, so that their text crosses to the thread once. The least recently used go first. */
export class StatementIds {
  readonly #int64: Int64Mode
  readonly #ids = new Map<string, number>()
  #next = 0
  #characters = 0
  #last: { readonly key: string | undefined; readonly id: number } = { key: undefined, id: -1 }

  /** `int64` is what operations mean that do not say. */
  constructor(int64: Int64Mode) {
    this.#int64 = int64
  }

  /** What a statement weighs on its way to the thread: its text when it is new there, else nothing. */
  sizeOf(what: string | number): number {
    return typeof what === 'string' && what !== this.#last.key && !this.#ids.has(what) ? what.length : 0
  }

  /**
   * The id of a statement. Adds to `define` what the thread has to learn before this batch, and to `forget` what it may
   * drop after it.
   */
  idOf(sql: string, int64: Int64Mode | undefined, define: (number | string)[], forget: number[]): number {
    const mode = int64 ?? this.#int64
    const key = mode === this.#int64 ? sql : `${mode} ${sql}`
    if (key === this.#last.key) return this.#last.id // a run of the same statement is common
    const known = this.#ids.get(key)
    const id = known ?? this.#next++
    if (known !== undefined) this.#ids.delete(key)
    this.#ids.set(key, id)
    this.#last = { key, id }
    if (known !== undefined) return id
    this.#characters += key.length
    define.push(id, sql, mode)
    for (const [oldest, oldestId] of this.#ids) {
      if (oldestId === id || (this.#ids.size <= MAX_STATEMENTS && this.#characters <= MAX_CHARACTERS)) break
      this.#ids.delete(oldest)
      this.#characters -= oldest.length
      forget.push(oldestId)
    }
    return id
  }
}
