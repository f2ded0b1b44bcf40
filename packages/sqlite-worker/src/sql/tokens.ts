// What SQLite's tokenizer does (https://www.sqlite.org/src/file/src/tokenize.c), as far as it tells where tokens end.

// JavaScript's \s is more; a byte order mark counts wherever a token could begin
const SPACE = /[ \t\n\v\f\r\uFEFF]+/y
const WORD = /[A-Za-z0-9_\u0080-\uFFFF][\w$\u0080-\uFFFF]*/y

/** Where the first token at or behind a place begins: behind white space and comments. */
export function startOfToken(sql: string, from: number): number {
  for (let at = from; ;) {
    const end = endOfMatch(SPACE, sql, at)
    if (sql.startsWith('--', end)) at = endBehind(sql, '\n', end + 2)
    else if (sql.startsWith('/*', end)) at = endBehind(sql, '*/', end + 2)
    else return end
  }
}

/**
 * Where the token that begins at a place ends. What is no SQL is a token too, and a quote that is never closed reaches
 * to the end. A quote doubled inside a quoted text begins another token.
 */
export function endOfToken(sql: string, start: number): number {
  const first = sql[start]
  switch (first) {
    case "'":
    case '"':
    case '`':
      return endBehind(sql, first, start + 1)
    case '[':
      return endBehind(sql, ']', start + 1)
    default:
      return Math.max(endOfMatch(WORD, sql, start), start + 1)
  }
}

function endBehind(sql: string, text: string, from: number): number {
  const at = sql.indexOf(text, from)
  return at < 0 ? sql.length : at + text.length
}

/** Where a match at a place ends: there, for none. */
function endOfMatch(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(sql) ? pattern.lastIndex : at
}
