/** How many statements the thread keeps prepared. The least recently used one goes first. */
const MAX_STATEMENTS = 1000

/** Names statements by number, so that their text crosses to the thread once. */
export class StatementIds {
  readonly #ids = new Map<string, number>()
  #next = 0

  /** The id of a statement; adds to `define` and `forget` what the thread has to learn with this batch. */
  idOf(sql: string, define: (number | string)[], forget: number[]): number {
    const known = this.#ids.get(sql)
    if (known !== undefined) {
      if (this.#ids.size > MAX_STATEMENTS / 2) {
        this.#ids.delete(sql)
        this.#ids.set(sql, known)
      }
      return known
    }
    const id = this.#next++
    this.#ids.set(sql, id)
    define.push(id, sql)
    if (this.#ids.size > MAX_STATEMENTS) {
      for (const [oldest, oldestId] of this.#ids) {
        this.#ids.delete(oldest)
        forget.push(oldestId)
        break
      }
    }
    return id
  }
}
