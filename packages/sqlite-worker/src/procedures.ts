import type { Token } from './token.ts'

type Synchronous<F> = F extends (db: never, ...args: infer A) => infer R ? (...args: A) => Token<R> : never

/** The functions of a module as they are called from outside: without the connection, and resolving later. */
export type Procedures<T> = {
  readonly [K in keyof T as T[K] extends (db: never, ...args: never[]) => unknown ? K : never]: Synchronous<
    T[K]
  >
}

type Call = (name: string, args: readonly unknown[]) => Token<unknown>

/** An object with every function there may be; whether the module has it, only the thread knows. */
export function proceduresOf<T extends object>(call: Call): Procedures<T> {
  return new Proxy({} as Procedures<T>, {
    // not a promise, so that it can be returned from an async function
    get: (_, name) =>
      typeof name === 'string' && name !== 'then' ? (...args: unknown[]) => call(name, args) : undefined,
  })
}
