import { endOfToken, startOfToken } from './tokens.ts'

/** One statement of a script. */
export interface ScriptStatement {
  /** Where its first token is. */
  readonly start: number
  /** Behind its last token, without the `;`. */
  readonly end: number
  /** Its first tokens as written, without comments; enough to tell what it is. */
  readonly head: readonly string[]
}

const HEAD_LENGTH = 8

/**
 * The statements of a script, cut where SQLite would cut them: not at a `;` within a literal, a quoted name, a comment
 * or the body of a trigger. Empty statements are left out.
 *
 * Exact as long as every statement is valid SQL. A script that is not stops at its first error when it is run, so what
 * follows that is of no account.
 */
export function* statementsOf(sql: string): Generator<ScriptStatement, void> {
  let head: string[] = []
  let first = 0
  let last = 0
  let state: State = 'statement'
  for (let start = startOfToken(sql, 0), end = 0; start < sql.length; start = startOfToken(sql, end)) {
    end = endOfToken(sql, start)
    const isSemicolon = sql[start] === ';'
    if (isSemicolon && (head.length === 0 || state === 'statement' || state === 'trigger-end')) {
      if (head.length > 0) yield { start: first, end: last, head }
      head = []
      state = 'statement'
      continue
    }
    if (head.length === 0) first = start
    last = end
    if (head.length === HEAD_LENGTH && state === 'statement') continue
    const text = sql.slice(start, end)
    if (head.length < HEAD_LENGTH) head.push(text)
    state = next(state, text, head)
  }
  if (head.length > 0) yield { start: first, end: last, head }
}

/**
 * The body of a trigger ends at an END that follows a `;`, for its statements cannot begin with END, and each of them
 * ends with a `;`. The END of a CASE follows none.
 */
type State = 'statement' | 'trigger' | 'trigger-semicolon' | 'trigger-end'

function next(state: State, text: string, head: readonly string[]): State {
  if (state === 'statement') return isTrigger(head) ? 'trigger' : 'statement'
  if (text === ';') return 'trigger-semicolon'
  return state === 'trigger-semicolon' && text.toUpperCase() === 'END' ? 'trigger-end' : 'trigger'
}

function isTrigger(head: readonly string[]): boolean {
  if (head.length === HEAD_LENGTH || head.at(-1)?.length !== 'TRIGGER'.length) return false
  const words = head.map((text) => text.toUpperCase()).join(' ')
  return /^(?:EXPLAIN (?:QUERY PLAN )?)?CREATE (?:TEMP |TEMPORARY )?TRIGGER$/.test(words)
}

const TRANSACTION_CONTROL = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])
const MENTIONS_CONTROL = /\b(?:begin|commit|end|rollback|savepoint|release)\b/i

/** A statement of a script that must not be in it. */
export interface Finding {
  readonly keyword: string
  /** Line of the script, counted from 1. */
  readonly line: number
}

/** The first statement of a script that begins or ends a transaction or savepoint, if there is one. */
export function findTransactionControl(sql: string): Finding | undefined {
  if (!MENTIONS_CONTROL.test(sql)) return undefined // much faster, which large scripts of data need
  return find(sql, ([first = '']) => {
    const keyword = first.toUpperCase()
    return TRANSACTION_CONTROL.has(keyword) ? keyword : undefined
  })
}

/** The first statement of a script that sets `PRAGMA foreign_keys`, which SQLite ignores within a transaction. */
export function findForeignKeysPragma(sql: string): Finding | undefined {
  if (!/foreign_keys/i.test(sql)) return undefined
  return find(sql, ([first = '', ...rest]) => {
    if (first.toUpperCase() !== 'PRAGMA') return undefined
    const [name = '', then] = rest[1] === '.' ? rest.slice(2) : rest
    const isForeignKeys = name.toLowerCase().replaceAll(/^["'`[]|["'`\]]$/g, '') === 'foreign_keys'
    return isForeignKeys && then !== undefined ? 'PRAGMA foreign_keys' : undefined
  })
}

function find(sql: string, match: (head: readonly string[]) => string | undefined): Finding | undefined {
  for (const { start, head } of statementsOf(sql)) {
    const keyword = match(head)
    if (keyword !== undefined) return { keyword, line: sql.slice(0, start).split('\n').length }
  }
  return undefined
}
