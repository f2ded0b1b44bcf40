import { Control } from '../protocol.ts'

/** Steps of a transaction that are one statement each; ROLLBACK is not, since it must never fail. */
export type SqlControl =
  | typeof Control.beginDeferred
  | typeof Control.beginImmediate
  | typeof Control.beginExclusive
  | typeof Control.commit
  | typeof Control.savepoint
  | typeof Control.release
  | typeof Control.rollbackTo

/** The SQL of a step; savepoints are named by the depth of their transaction. */
export function controlSql(code: SqlControl, depth: unknown): string {
  const savepoint = `outrider_${String(depth)}`
  switch (code) {
    case Control.beginDeferred:
      return 'BEGIN DEFERRED'
    case Control.beginImmediate:
      return 'BEGIN IMMEDIATE'
    case Control.beginExclusive:
      return 'BEGIN EXCLUSIVE'
    case Control.commit:
      return 'COMMIT'
    case Control.savepoint:
      return `SAVEPOINT ${savepoint}`
    case Control.release:
      return `RELEASE ${savepoint}`
    case Control.rollbackTo:
      return `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`
  }
}
