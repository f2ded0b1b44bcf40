import { conditionError } from './fail.ts'

/** A piece of a condition's text; `position` counts from 1, as PostgreSQL's do. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'end'
  /** A word in upper case, a symbol, or what a literal or a quoted name stands for. */
  readonly text: string
  /** As it was written. */
  readonly raw: string
  readonly position: number
}

const pieces =
  /(?<quoted>"(?:[^"]|"")+")|(?<string>'(?:[^']|'')*')|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?![\w.]))|(?<word>[A-Za-z_]\w*)|(?<symbol><>|!=|<=|>=|~\*|[~=<>(),-])/y
const blank = /[ \t\r\n]*/y

/** Splits a condition's text. @throws {CallError} `invalid_condition` at the first character that fits nowhere */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  let index = 0
  for (;;) {
    blank.lastIndex = index
    index += blank.exec(source)?.[0].length ?? 0
    const position = index + 1
    if (index >= source.length) {
      tokens.push({ kind: 'end', text: '', raw: '', position })
      return tokens
    }
    pieces.lastIndex = index
    const match = pieces.exec(source)
    const raw = match?.[0]
    if (match === null || raw === undefined || source.startsWith('--', index)) {
      throw conditionError('unexpected character', { position })
    }
    index += raw.length
    tokens.push(tokenOf(match.groups ?? {}, raw, position))
  }
}

function tokenOf(groups: Record<string, string | undefined>, raw: string, position: number): Token {
  if (groups['quoted']) return { kind: 'quoted', text: raw.slice(1, -1).replaceAll('""', '"'), raw, position }
  if (groups['string']) return { kind: 'string', text: raw.slice(1, -1).replaceAll("''", "'"), raw, position }
  if (groups['number']) return { kind: 'number', text: raw, raw, position }
  if (groups['word']) return { kind: 'word', text: raw.toUpperCase(), raw, position }
  return { kind: 'symbol', text: raw, raw, position }
}
