import { encodeCell } from './encode.ts'
import type { Batch, Executor, ResolvedUpsert, Row, Written } from './executor.ts'
import type { Steps } from './steps.ts'

/**
 * Upserts the rows of a chunk as if one after another: rows of one natural key become one row, in which what a later
 * one gives to be updated wins. A row without a complete natural key has nothing to be in conflict with, and is
 * created.
 */
export function* upsertRows(executor: Executor, batch: Batch, upsert: ResolvedUpsert): Steps<Written> {
  const keyed: Row[] = []
  const keyless: Row[] = []
  const places = new Map<string, number>()
  // For each row of the batch, where the written one is to be found.
  const written: { isKeyed: boolean; at: number }[] = []
  for (const row of batch.rows) {
    const key = naturalKey(row, upsert)
    if (key === undefined) {
      written.push({ isKeyed: false, at: keyless.push(row) - 1 })
      continue
    }
    const at = places.get(key) ?? keyed.length
    places.set(key, at)
    const earlier = keyed[at]
    keyed[at] = earlier ? { ...earlier, ...givenOf(row, upsert) } : row
    written.push({ isKeyed: true, at })
  }
  const upserted = keyed.length > 0 ? yield* executor.upsert({ ...batch, rows: keyed }, upsert) : nothing()
  const created =
    keyless.length > 0 ? yield* executor.insert({ ...batch, rows: keyless }, 'error') : nothing()
  upserted.counts.created += created.counts.created
  const rows = written.map(({ isKeyed, at }) => (isKeyed ? upserted : created).rows[at] ?? {})
  return { rows: batch.wanted.length > 0 ? rows : [], counts: upserted.counts }
}

function naturalKey(row: Row, { target }: ResolvedUpsert): string | undefined {
  const parts: string[] = []
  for (const column of target) {
    const cell = encodeCell(column, row)
    if (cell === null) return undefined
    const text = textOf(cell)
    parts.push(`${text.length}:${text}`)
  }
  return parts.join('')
}

function textOf(cell: unknown): string {
  if (typeof cell === 'string') return cell
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('hex')
  return typeof cell === 'bigint' ? cell.toString() : JSON.stringify(cell)
}

function givenOf(row: Row, { update }: ResolvedUpsert): Row {
  const given = update.filter(({ key }) => row[key] !== undefined)
  return Object.fromEntries(given.map(({ key }) => [key, row[key]]))
}

function nothing(): Written {
  return { rows: [], counts: { created: 0, updated: 0, unchanged: 0 } }
}
