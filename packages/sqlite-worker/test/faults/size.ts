/**
 * Whether the fault suites run at full size (`npm run test:faults`) or at the small one of every `npm test`. At full size
 * each suite of this package ends within two minutes on two cores of its own; the timeout of each test, three minutes at
 * most, is for cores that have other work.
 */
export const isFull: boolean = Boolean(process.env['OUTRIDER_FAULTS'])

/** What a suite uses at its small and at its full size. */
export function sized<T>(small: T, full: T): T {
  return isFull ? full : small
}

/** The seed of a suite: OUTRIDER_SEED, or a new one. Printed, so that a failing run can be repeated. */
export function seedOf(suite: string): number {
  const seed = Number(process.env['OUTRIDER_SEED'] ?? Date.now() % 2 ** 31)
  process.stderr.write(`${suite}: OUTRIDER_SEED=${seed} ${isFull ? 'full' : 'small'} size\n`)
  return seed
}
