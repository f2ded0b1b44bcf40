/** Keeps the process from ending while somebody waits, though idle threads do not. */
export class KeepAlive {
  readonly #timer: NodeJS.Timeout = setInterval(() => {}, 2 ** 30).unref()
  #holders = 0

  hold(): void {
    this.#holders += 1
    if (this.#holders === 1) this.#timer.ref()
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders === 0) this.#timer.unref()
  }

  /** For good. */
  end(): void {
    clearInterval(this.#timer)
  }
}
