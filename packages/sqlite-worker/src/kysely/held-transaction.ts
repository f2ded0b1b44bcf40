import type { Scope } from './worker.ts'

/** Thrown into the callback of a transaction to undo it. */
const undone = new Error('The transaction was rolled back')

/** A transaction, or one nested in it, whose callback is held until it is told how it ends. */
export class HeldTransaction {
  /** Takes its statements. */
  readonly scope: Scope
  readonly #end: End

  private constructor(scope: Scope, end: End) {
    this.scope = scope
    this.#end = end
  }

  /** Begins it by a function that passes a callback on to `transaction()`; resolves when it is its turn. */
  static begin(start: (run: (scope: Scope) => Promise<void>) => Promise<void>): Promise<HeldTransaction> {
    return new Promise((resolve, reject) => {
      const outcome = start(
        (scope) =>
          new Promise<void>((commit, undo) => {
            resolve(new HeldTransaction(scope, { commit, undo, outcome: () => outcome }))
          }),
      )
      outcome.catch(reject)
    })
  }

  /** Rejects with why it could not be committed; nothing of it stays then. */
  async commit(): Promise<void> {
    this.#end.commit()
    await this.#end.outcome()
  }

  /** Rejects with why it had ended before, if it had. */
  async undo(): Promise<void> {
    this.#end.undo(undone)
    await this.#end.outcome().catch((error: unknown) => {
      if (error !== undone) throw error
    })
  }
}

interface End {
  commit(): void
  undo(error: Error): void
  /** Settles once it has ended. */
  outcome(): Promise<void>
}
