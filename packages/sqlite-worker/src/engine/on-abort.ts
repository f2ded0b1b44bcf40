interface Watch {
  readonly acts: Set<() => void>
  readonly listener: () => void
}

const watched = new WeakMap<AbortSignal, Watch>()

/**
 * Calls a function when a signal fires that has not fired yet. Returns what takes that back. However many wait for a
 * signal, it has one listener: more than ten would have Node.js warn of a leak.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const watch = watched.get(signal) ?? startWatching(signal)
  watch.acts.add(act)
  return () => {
    if (!watch.acts.delete(act) || watch.acts.size > 0) return
    watched.delete(signal)
    signal.removeEventListener('abort', watch.listener)
  }
}

function startWatching(signal: AbortSignal): Watch {
  const acts = new Set<() => void>()
  const listener = () => {
    watched.delete(signal)
    for (const act of acts) act()
  }
  const watch = { acts, listener }
  watched.set(signal, watch)
  signal.addEventListener('abort', listener, { once: true })
  return watch
}
