import type { StoredValue } from '../protocol.ts'

/** A value as it is read from SQLite; integers are bigints with `int64: 'bigint'` only. */
export type ReadValue = null | number | bigint | string | Uint8Array

/** A row as read: column name to value. */
export type Row = Record<string, ReadValue>

/** A row with `rowMode: 'array'`: values in the order of the columns. */
export type RowArray = ReadValue[]

/** How rows are handed to the caller: objects by column name, or arrays in the order of the columns. */
export type RowMode = 'object' | 'array'

type Build = (values: readonly StoredValue[], at: number) => Row

/** Makes rows of flat values. */
export class RowShape {
  readonly columns: readonly string[]
  #build: Build | undefined

  constructor(columns: readonly string[]) {
    this.columns = columns
  }

  /** Appends `count` rows that stand in `values` from `at` on. Returns where they end. */
  append(rows: unknown[], values: readonly unknown[], at: number, count: number, mode: RowMode): number {
    const stored = values as readonly StoredValue[]
    const width = this.columns.length
    const end = at + count * width
    if (mode === 'array') for (; at < end; at += width) rows.push(stored.slice(at, at + width))
    else {
      this.#build ??= compile(this.columns)
      for (; at < end; at += width) rows.push(this.#build(stored, at))
    }
    return end
  }
}

/** A function with the names written out makes objects several times faster than a loop over the names. */
function compile(columns: readonly string[]): Build {
  // only fromEntries makes an own property of a column called __proto__
  if (columns.includes('__proto__'))
    return (values, at) => Object.fromEntries(columns.map((name, i) => [name, values[at + i] as ReadValue]))
  const members = columns.map((name, i) => `${JSON.stringify(name)}: values[at + ${i}]`)
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- names are JSON strings
    return new Function('values', 'at', `return { ${members.join(', ')} }`) as Build
  } catch {
    return (values, at) => loop(columns, values, at) // code from strings may be forbidden
  }
}

function loop(columns: readonly string[], values: readonly StoredValue[], at: number): Row {
  const row: Row = {}
  for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[at + i] as ReadValue
  return row
}
