/** Every {@link BreakerState}. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const

/** `open` skips Redis at once; `half-open` does too while one probe is under way; `closed` lets everything through. */
export type BreakerState = (typeof BREAKER_STATES)[number]
