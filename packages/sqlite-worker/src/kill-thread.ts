export type KillThread = (which: 'writer' | 'reader') => Promise<void>

// known by every copy of this package
const key = Symbol.for('@outrider/sqlite-worker/kill-thread')

/** Lets `@outrider/sqlite-worker/testing` end a thread of a worker where it stands. */
export function offerKillThread(worker: object, kill: KillThread): void {
  Object.defineProperty(worker, key, { value: kill })
}

/** What a worker offers. */
export function killThreadOf(worker: object): KillThread {
  return (worker as { readonly [key]: KillThread })[key]
}
