import { verbOf } from '../first-keyword.ts'
import { statementsOf } from '../sql/script.ts'
import { KnownTexts } from './known-texts.ts'

/**
 * Where a statement may run: `read` on any connection; `write` on the writer's; `pin` on the writer's too, after which
 * only that connection sees the same database, so that reads must stay there.
 */
export type Route = 'read' | 'write' | 'pin'

const known = new KnownTexts<Route>()

/** By its text alone, and rather the writer than a reader. */
export function routeOf(sql: string): Route {
  const route = known.get(sql)
  if (route) return route
  const found = findRoute(sql)
  known.set(sql, found)
  return found
}

/** Whether a script makes the writer's connection differ from others. */
export function pins(script: string): boolean {
  for (const { head } of statementsOf(script)) {
    const words = head.map((token) => token.replaceAll(/^["'`[]|["'`\]]$/g, ''))
    if (PINS.test(words.join(' '))) return true
  }
  return false
}

/** What only this connection sees, and pragmas that change what it reads, or whether others can read at all. */
const PINS =
  /^(?:(?:attach|detach|create temp)|create .*\btemp \.|pragma (?:\S+ \. )?(?:journal_mode [=(] (?!wal)|(?:case_sensitive_like|read_uncommitted|reverse_unordered_selects|locking_mode) [=(]))/i

/** What differs from connection to connection: the statement before, and what a pragma says. */
const OWN_STATE =
  /\b(?:last_insert_rowid|changes|total_changes|load_extension)\s*\(|\bpragma_|\btemp\b|\bsqlite_temp_/i

function findRoute(sql: string): Route {
  switch (verbOf(sql)) {
    case 'SELECT':
    case 'VALUES':
      return OWN_STATE.test(sql) ? 'write' : 'read'
    case 'ATTACH':
    case 'DETACH':
    case 'CREATE':
    case 'PRAGMA':
      return pins(sql) ? 'pin' : 'write'
    default:
      return 'write'
  }
}
