const FIRST_KEYWORD = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*([a-z]+)/i

/** The first word of a statement in capitals, after comments; empty for a text without one. */
export function firstKeyword(sql: string): string {
  return FIRST_KEYWORD.exec(sql)?.[1]?.toUpperCase() ?? ''
}
