/** The calls that a gateway is working on. */
export class RunningCalls {
  readonly #controllers = new Set<AbortController>()
  #onIdle: (() => void)[] = []

  /** Its signal aborts when the caller is gone or the gateway waits for it no longer. */
  begin(): AbortController {
    const controller = new AbortController()
    this.#controllers.add(controller)
    return controller
  }

  end(controller: AbortController): void {
    this.#controllers.delete(controller)
    if (this.#controllers.size > 0) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  abortAll(): void {
    for (const controller of this.#controllers) controller.abort()
  }

  /** Resolves once none is running. */
  async idle(): Promise<void> {
    if (this.#controllers.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }
}
