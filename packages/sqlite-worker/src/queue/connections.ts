import type { Connection } from '../connection.ts'
import type { SqliteWorker } from '../sqlite-worker.ts'

// by what they can do: a worker may come from another copy of the package, such as the CommonJS one

/** Whether a value is a worker or a transaction. */
export function isConnection(value: unknown): value is Connection {
  return hasMethods(value, ['execute', 'transaction'])
}

export function isWorker(value: unknown): value is SqliteWorker {
  return isConnection(value) && hasMethods(value, ['outside', 'close']) && 'isInTransaction' in value
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}
