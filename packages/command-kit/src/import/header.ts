import { CommandError } from '../errors.ts'
import type { CleaningDF } from './cleaning-df.ts'

/** A column of the source that is wanted. */
export interface PickedColumn {
  readonly name: string
  readonly index: number
}

/**
 * Finds the wanted columns in a header; others may be there too.
 * @throws {CommandError} naming what is missing and what there is instead, or a wanted column that is there twice
 */
export function matchHeader(header: readonly string[], cleaning: CleaningDF, label: string): PickedColumn[] {
  const found = header.map((name) => name.trim())
  const wanted = cleaning.columns.map((column) => {
    const names = cleaning.rawNames(column)
    return { names, name: names.find((each) => found.includes(each)) }
  })
  const missing = wanted.filter(({ name }) => name === undefined).map(({ names }) => names.join(' or '))
  const picked = new Set(wanted.flatMap(({ name }) => name ?? []))
  if (missing.length > 0) {
    const others = found.filter((name) => !picked.has(name))
    const unexpected = others.length > 0 ? `; unexpected: ${others.join(', ')}` : ''
    throw new CommandError(`Wrong header of ${label}: missing: ${missing.join(', ')}${unexpected}`)
  }
  const twice = [...picked].find((name) => found.indexOf(name) !== found.lastIndexOf(name))
  if (twice !== undefined) throw new CommandError(`Wrong header of ${label}: ${twice} is there twice`)
  return Array.from(picked, (name) => ({ name, index: found.indexOf(name) }))
}
