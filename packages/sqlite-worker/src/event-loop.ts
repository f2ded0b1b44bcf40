/** Runs a function in the next turn of the event loop. The real `setImmediate` also for who fakes timers later. */
export const onNextTurn: (act: () => void) => unknown = globalThis.setImmediate

/** Resolves in the next turn of the event loop. */
export async function nextTurn(): Promise<void> {
  await new Promise<void>(onNextTurn)
}
