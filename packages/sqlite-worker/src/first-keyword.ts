import { endOfToken, startOfToken } from './sql/tokens.ts'

/** The first word of a statement in capitals, after comments; empty for a text that begins with none. */
export function firstKeyword(sql: string): string {
  let start = startOfToken(sql, 0)
  while (sql[start] === ';') start = startOfToken(sql, start + 1)
  return wordIn(sql, start, endOfToken(sql, start))
}

/** What a statement does: its first word, or the one behind the common table expressions of WITH. */
export function verbOf(sql: string): string {
  const first = firstKeyword(sql)
  return first === 'WITH' ? verbOfWith(sql) : first
}

/** The verb follows the parenthesis that closes an expression; a comma or an AS may, too. */
function verbOfWith(sql: string): string {
  let depth = 0
  let isBehindExpression = false
  for (let start = startOfToken(sql, 0), end = 0; start < sql.length; start = startOfToken(sql, end)) {
    end = endOfToken(sql, start)
    const word = depth === 0 && isBehindExpression ? wordIn(sql, start, end) : ''
    if (word !== '' && word !== 'AS') return word
    if (sql[start] === '(') depth += 1
    isBehindExpression = sql[start] === ')'
    if (isBehindExpression) depth -= 1
  }
  return ''
}

function wordIn(sql: string, start: number, end: number): string {
  const text = sql.slice(start, end)
  return /^[a-z]+$/i.test(text) ? text.toUpperCase() : ''
}
