/** What options of the queue may be; for check-options.ts. */
export const isFinite = (value: unknown): value is number => Number.isFinite(value)
/** 0 or more, or Infinity. */
export const isMs = (value: unknown): value is number => typeof value === 'number' && value >= 0
/** What setTimeout can hold. */
export const isTimerMs = (value: unknown): value is number =>
  typeof value === 'number' && value >= 1 && value < 2 ** 31
export const isTimerMsOrInfinity = (value: unknown): value is number => value === Infinity || isTimerMs(value)
/** A whole number of 1 or more. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1
export const isCountOrInfinity = (value: unknown): value is number => value === Infinity || isCount(value)
export const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.isWellFormed()
export const isFunction = (value: unknown): value is (...args: never) => unknown =>
  typeof value === 'function'
export const isSignal = (value: unknown): value is AbortSignal => value instanceof AbortSignal
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'

/** The options that are given, so that a spread of them leaves defaults alone. */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
