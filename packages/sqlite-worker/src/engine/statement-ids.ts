/** How many statements the thread keeps prepared, and how many characters they may have together. */
const MAX_STATEMENTS = 1000
const MAX_CHARACTERS = 2 ** 22

/** Names statements by number, so that their text crosses to the thread once. The least recently used go first. */
export class StatementIds {
  readonly #ids = new Map<string, number>()
  #next = 0
  #characters = 0

  /** What a statement weighs on its way to the thread: its text when it is new there, else nothing. */
  sizeOf(what: string | number): number {
    return typeof what === 'string' && !this.#ids.has(what) ? what.length : 0
  }

  /**
   * The id of a statement. Adds to `define` what the thread has to learn before this batch, and to `forget` what it may
   * drop after it.
   */
  idOf(sql: string, define: (number | string)[], forget: number[]): number {
    const known = this.#ids.get(sql)
    if (known !== undefined) {
      this.#ids.delete(sql)
      this.#ids.set(sql, known)
      return known
    }
    const id = this.#next++
    this.#ids.set(sql, id)
    this.#characters += sql.length
    define.push(id, sql)
    for (const [oldest, oldestId] of this.#ids) {
      if (oldestId === id || (this.#ids.size <= MAX_STATEMENTS && this.#characters <= MAX_CHARACTERS)) break
      this.#ids.delete(oldest)
      this.#characters -= oldest.length
      forget.push(oldestId)
    }
    return id
  }
}
