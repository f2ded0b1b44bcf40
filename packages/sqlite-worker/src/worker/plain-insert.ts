const NAME = String.raw`(?:[A-Za-z_\u0080-\uFFFF][\w$\u0080-\uFFFF]*|"(?:[^"]|"")+")`
const listOf = (item: string) => String.raw`${item}(?:\s*,\s*${item})*`
const PLAIN_INSERT = new RegExp(
  String.raw`^\s*(insert\s+into\s+(${NAME})\s*\(\s*(${listOf(NAME)})\s*\)\s*values)\s*(\(\s*(${listOf(String.raw`(?:\?|null)`)})\s*\))\s*;?\s*$`,
  'i',
)

/** An INSERT of one row, of parameters and NULLs, and nothing else. Names are in lower case. */
export interface PlainInsert {
  readonly table: string
  /** The columns that are given a parameter. */
  readonly assigned: readonly string[]
  /** Its text for so many rows. */
  forRows(count: number): string
  /** A query for the greatest rowid of the table. */
  readonly greatestRowid: string
}

/** Reads a statement's text. Returns undefined for anything else, and for what it is not sure of. */
export function plainInsertOf(sql: string): PlainInsert | undefined {
  const [, head, table, columnList, row, termList] = PLAIN_INSERT.exec(sql) ?? []
  if (!head || !table || !columnList || !row || !termList) return undefined
  const columns = [...columnList.matchAll(new RegExp(NAME, 'g'))].map(([name]) => nameOf(name))
  const terms = termList.split(',')
  if (columns.length !== terms.length) return undefined
  return {
    table: nameOf(table),
    assigned: columns.filter((_, i) => terms[i]?.trim() === '?'),
    greatestRowid: `SELECT max(rowid) FROM ${table}`,
    forRows: (count) => `${head} ${Array.from({ length: count }, () => row).join(', ')}`,
  }
}

/** What SQLite takes a name for, with its own notion of case. */
function nameOf(text: string): string {
  const name = text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
