/** An attempt that failed. */
export interface JobFailure {
  readonly jobId: number
  readonly task: string
  /** 1 for the first. */
  readonly attempt: number
  readonly error: unknown
  /** Whether it was the last: the job is dead. */
  readonly dead: boolean
}

const MAX_MESSAGE = 2000
const MAX_STACK = 8000

/** A failure as text to store, of bounded length. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error))
    return JSON.stringify({ name: 'Error', message: clip(text(error), MAX_MESSAGE) })
  const { name, message, stack } = error
  return JSON.stringify({
    name: clip(text(name), MAX_MESSAGE),
    message: clip(text(message), MAX_MESSAGE),
    ...(stack === undefined ? {} : { stack: clip(text(stack), MAX_STACK) }),
  })
}

function clip(value: string, length: number): string {
  return value.slice(0, length).toWellFormed()
}

function text(value: unknown): string {
  try {
    return String(value)
  } catch {
    return typeof value
  }
}
