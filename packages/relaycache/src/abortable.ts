/**
 * Like `start()`, but rejects with the reason of `signal` once that is aborted. What was started goes on; it is not
 * started at all under a signal that is aborted already.
 */
export async function abortable<T>(signal: AbortSignal | undefined, start: () => Promise<T>): Promise<T> {
  if (!signal) return start()
  signal.throwIfAborted()
  const { promise: aborted, abort } = abortion(signal)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([start(), aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function abortion(signal: AbortSignal): { promise: Promise<never>; abort: () => void } {
  let abort = (): void => undefined
  const promise = new Promise<never>((_, reject) => {
    // The reason is the caller's, of whatever type.
    abort = () => reject(signal.reason as Error)
  })
  return { promise, abort }
}
