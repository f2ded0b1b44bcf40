import { WaitTimeoutError } from './errors.ts'
import type { Hub } from './hub.ts'
import type { DrainOptions } from './options.ts'
import type { Store } from './store.ts'

const POLL_MS = 250
/** Pending and running jobs, and delayed ones where they are asked for. */
const IS_BUSY = `SELECT EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state = 0)
  OR EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state = 1)
  OR EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state > 1 AND state = 3)
  OR EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state > 1 AND state = 4)
  OR (? AND EXISTS (SELECT 1 FROM outrider_queue_jobs WHERE queue = ? AND state > 1 AND state = 2)) AS busy`

/** Resolves once the queue has nothing to do. */
export async function drain(store: Store, hub: Hub, options: DrainOptions): Promise<void> {
  const { timeoutMs = Infinity, signal, delayed = false } = options
  const deadlineMs = performance.now() + timeoutMs
  let wake = (): void => {}
  const leave = hub.join({ ended: () => wake() })
  const onAbort = () => wake()
  signal?.addEventListener('abort', onAbort)
  try {
    for (;;) {
      signal?.throwIfAborted()
      const woken = new Promise<void>((resolve) => (wake = resolve)) // before the look, so that no word is missed
      const { id } = store
      const [row] = await store.read<{ busy: number }>(IS_BUSY, [id, id, id, id, delayed, id])
      if (row?.busy === 0) return
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw new WaitTimeoutError('The end of all jobs', timeoutMs)
      const timer = setTimeout(wake, Math.min(POLL_MS, leftMs))
      await woken
      clearTimeout(timer)
    }
  } finally {
    leave()
    signal?.removeEventListener('abort', onAbort)
  }
}
