import { CommandError } from '../errors.ts'
import { originColumns, type CleaningDF } from './cleaning-df.ts'
import { matchHeader, type PickedColumn } from './header.ts'
import type { Frame, Polars } from './polars.ts'
import type { Reject } from './rejects.ts'
import type { Source } from './source.ts'
import { tokenise, type SourceRecord } from './tokenise.ts'

/** How {@link readFrames} reads. */
export interface ReadOptions {
  readonly pl: Polars
  readonly cleaning: CleaningDF
  readonly delimiter: string
  readonly batchSize: number
  readonly skip: number
  readonly limit: number
  readonly onRejects: (rejects: readonly Reject[]) => void
  /** Called after each piece of the source. */
  readonly onProgress: () => void
}

/**
 * The records of a source as frames of text, with only the wanted columns and those of {@link originColumns}. Records
 * with too many or too few values are rejects.
 * @throws {CommandError} for a wrong header
 */
export async function* readFrames(source: Source, options: ReadOptions): AsyncGenerator<Frame, void> {
  const { skip, limit, batchSize, onProgress } = options
  const last = skip + limit
  let header: { readonly width: number; readonly picked: PickedColumn[] } | undefined
  const batch: SourceRecord[] = []
  for await (const { records, rejects } of tokenise(source.chunks, options.delimiter)) {
    const bad: Reject[] = []
    for (const each of rejects) {
      if (each.record === 0) throw new CommandError(`Wrong header of ${source.label}: ${each.message}`)
      if (each.record > skip && each.record <= last) bad.push(each)
    }
    for (const each of records) {
      header ??= {
        width: each.values.length,
        picked: matchHeader(each.values, options.cleaning, source.label),
      }
      if (each.record === 0 || each.record <= skip || each.record > last) continue
      if (each.values.length === header.width) batch.push(each)
      else bad.push(wrongWidth(each, header.width))
    }
    options.onRejects(bad.toSorted((a, b) => a.record - b.record))
    onProgress()
    while (batch.length >= batchSize)
      yield toFrame(options.pl, header?.picked ?? [], batch.splice(0, batchSize))
    if ((records.at(-1)?.record ?? 0) >= last) break
  }
  if (header && batch.length > 0) yield toFrame(options.pl, header.picked, batch)
}

function wrongWidth({ record, line, values }: SourceRecord, width: number): Reject {
  const message = `Expected ${width} columns, got ${values.length}`
  return { record, line, column: undefined, rule: 'columns', message }
}

function toFrame(pl: Polars, picked: readonly PickedColumn[], records: readonly SourceRecord[]): Frame {
  const columns = picked.map(({ name, index }) =>
    pl.Series(
      name,
      records.map(({ values }) => values[index] ?? null),
      pl.String,
    ),
  )
  const origin = (key: keyof typeof originColumns) =>
    pl.Series(
      originColumns[key],
      records.map((record) => record[key]),
      pl.Int64,
    )
  return pl.DataFrame([...columns, origin('record'), origin('line')])
}
