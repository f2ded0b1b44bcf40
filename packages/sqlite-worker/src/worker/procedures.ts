import type { Database } from 'better-sqlite3'
import { WorkerFailure } from './failure.ts'

/** The payload of a call. */
export interface ProcedureCall {
  readonly file: string
  readonly name: string
  readonly args: readonly unknown[]
}

/** Functions of the user's modules, by file. */
export class Procedures {
  readonly #modules = new Map<string, Readonly<Record<string, unknown>> | Error>()

  /** Imports a module. One that cannot be imported fails its calls. */
  async load(file: string): Promise<void> {
    try {
      this.#modules.set(file, (await import(file)) as Record<string, unknown>)
    } catch (error) {
      this.#modules.set(file, error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Calls a function with the connection and its arguments. @throws {WorkerFailure} with what it threw as cause. */
  call(db: Database, { file, name, args }: ProcedureCall): unknown {
    const module = this.#modules.get(file)
    if (module === undefined || module instanceof Error)
      throw new WorkerFailure('procedure', 'The file of procedures cannot be imported', module)
    const procedure = Object.hasOwn(module, name) ? module[name] : undefined
    if (typeof procedure !== 'function')
      throw new WorkerFailure(
        'argument',
        `Expected the name of an exported function, got ${JSON.stringify(name)}`,
      )
    const result = resultOf(name, () => (procedure as (...args: unknown[]) => unknown)(db, ...args))
    if (result instanceof Promise) {
      result.catch(() => {})
      throw new WorkerFailure(
        'procedure',
        `Procedure ${name} returned a promise; its transaction cannot wait for it`,
      )
    }
    return result
  }
}

/** What a function returns, as it arrives on the other side. */
function resultOf(name: string, call: () => unknown): unknown {
  let result: unknown
  try {
    result = call()
    return result instanceof Promise ? result : structuredClone(result)
  } catch (error) {
    const what =
      error instanceof DOMException && error.name === 'DataCloneError'
        ? 'returned what cannot be cloned'
        : 'threw'
    throw new WorkerFailure('procedure', `Procedure ${name} ${what}`, error)
  }
}
