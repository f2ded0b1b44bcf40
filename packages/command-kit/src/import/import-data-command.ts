import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BulkDatabase } from '@outrider/bulk-ops'
import type { Table } from 'drizzle-orm'
import type { Arguments } from '../arguments.ts'
import { BaseCommand } from '../base-command.ts'
import type { StandardOptions } from '../standard-options.ts'
import { usage } from '../values.ts'
import { originColumns, type CleaningDF, type CleaningTools } from './cleaning-df.ts'
import { addImportOptions, type ImportOptions } from './import-options.ts'
import { Plan } from './plan.ts'
import { loadPolars, type Frame, type Polars } from './polars.ts'
import { readFrames } from './read-frames.ts'
import { checkMaxErrors, parseMaxErrors, Rejects, type Reject } from './rejects.ts'
import { openSource } from './source.ts'
import { checkNaturalKeys, writeBulks, type BulksByModel, type Counts, type NaturalKeys } from './write.ts'

/** Raw rows: all at once, or in batches. */
export type RawRows = Frame | Iterable<Frame> | AsyncIterable<Frame>

/** What an import did; in a dry run, what it would do. `read` is the sum of `cleaned`, `dropped` and `rejected`. */
export interface ImportResult {
  readonly dryRun: boolean
  readonly read: number
  readonly cleaned: number
  /** Rows left out as empty or as duplicates. */
  readonly dropped: number
  readonly rejected: number
  /** The file that names the rejected rows; null when there are none. */
  readonly rejectsFile: string | null
  /** By name of table. */
  readonly tables: Readonly<Record<string, Counts>>
}

/**
 * A command that reads rows, cleans them and writes them through bulk-ops, in batches of `--batch-size` of which each is
 * one transaction. Write {@link getCleaningDf} and {@link getBulksByModel}, and {@link getNaturalKeys} so that a second
 * run creates nothing.
 */
export abstract class ImportDataCommand<Context = unknown> extends BaseCommand<Context> {
  #work: Work | undefined
  #plan: Plan | undefined
  #readRows = 0
  #cleanedRows = 0
  readonly #tables = new Map<string, Counts>()

  /** The class that cleans the rows. */
  abstract getCleaningDf(): new (tools: CleaningTools) => CleaningDF

  /** Turns clean rows into those of tables. Called for each batch; see {@link rowsOf}. */
  abstract getBulksByModel(df: Frame): BulksByModel | Promise<BulksByModel>

  /** The columns, by table, that tell whether a row exists. They need a unique constraint. @default none */
  getNaturalKeys(): Iterable<readonly [table: Table, columns: readonly string[]]> {
    return []
  }

  /** The Drizzle database to write to. @default this.context.db */
  getDb(): BulkDatabase {
    const { db } = (this.context ?? {}) as { db?: BulkDatabase }
    if (db) return db
    throw new TypeError(`The context has no db: give it one, or override getDb in ${this.constructor.name}`)
  }

  override baseAddArguments(p: Arguments): Arguments<StandardOptions & ImportOptions> {
    return addImportOptions(super.baseAddArguments(p))
  }

  /**
   * The raw rows. The base reads the file, all columns as text. Override it to read something else: a frame, or frames one
   * after another, made with `this.pl`.
   */
  handleImport(): RawRows | Promise<RawRows> {
    return this.#readFile()
  }

  /** Writes the rows of a batch, or counts what that would do. By SQL name of the table. */
  async importToDb(bulks: BulksByModel): Promise<ReadonlyMap<string, Counts>> {
    const rows = new Map(bulks)
    const isUpsert = this.getOption('mode') === 'upsert'
    const naturalKeys: NaturalKeys = new Map(isUpsert ? this.getNaturalKeys() : [])
    if (isUpsert) checkNaturalKeys(rows.keys(), naturalKeys)
    if (!this.dryRun) return writeBulks(this.getDb(), rows, { naturalKeys, signal: this.signal })
    this.#plan ??= new Plan(this.getDb(), naturalKeys)
    return this.#plan.count(rows)
  }

  async handleCommand(): Promise<ImportResult> {
    const maxErrors = parseMaxErrors(this.getOption('maxErrors'))
    const work = await this.#start()
    const check = (isEnd: boolean) =>
      checkMaxErrors(maxErrors, { rejected: work.rejects.count, read: this.#readRows, isEnd })
    let isDone = false
    try {
      for await (const raw of this.#batchesOf(await this.handleImport())) {
        const clean = work.cleaning.clean(raw)
        this.#cleanedRows += clean.height
        check(false)
        if (clean.height > 0) this.#count(await this.importToDb(await this.getBulksByModel(clean)))
        await nextTurn()
        this.signal.throwIfAborted()
      }
      isDone = true
    } finally {
      await work.rejects.close()
      if (isDone || this.#readRows > 0) this.#report(work)
    }
    check(true)
    return this.#result(work)
  }

  /** Polars, for {@link handleImport} and {@link getBulksByModel}. */
  get pl(): Polars {
    return this.#working.pl
  }

  get #working(): Work {
    if (!this.#work) throw new Error('An import has Polars and its rules only while it runs')
    return this.#work
  }

  async #start(): Promise<Work> {
    const { file, rejects: given } = { file: this.getOption('file'), rejects: this.getOption('rejects') }
    const target = given ?? (file === undefined || file === '-' ? 'rejects.csv' : `${file}.rejects.csv`)
    if (file !== undefined && resolve(target) === resolve(file))
      throw usage('Expected --rejects to be another file than the one to read')
    const pl = await loadPolars()
    const rejects = await Rejects.open(target)
    const onRejects = (rows: readonly Reject[]) => rejects.add(rows)
    this.#work = { pl, rejects, cleaning: new (this.getCleaningDf())({ pl, onRejects }) }
    return this.#work
  }

  async *#readFile(): AsyncGenerator<Frame, void> {
    const file = this.getOption('file')
    if (file === undefined) throw usage('Missing <file>')
    const source = await openSource(file, this.stdin)
    const bar =
      source.totalBytes === undefined ? undefined : this.progress(source.totalBytes, { unit: 'bytes' })
    const { pl, rejects, cleaning } = this.#working
    yield* readFrames(source, {
      pl,
      cleaning,
      delimiter: this.getOption('delimiter') ?? source.delimiter,
      batchSize: this.getOption('batchSize'),
      skip: this.getOption('skip'),
      limit: this.getOption('limit') ?? Infinity,
      onRejects: (rows) => {
        this.#readRows += rows.length
        rejects.add(rows)
      },
      onProgress: () => bar?.update(source.readBytes()),
    })
    bar?.end()
  }

  async *#batchesOf(raw: RawRows): AsyncGenerator<Frame, void> {
    const size = this.getOption('batchSize')
    for await (const df of isFrame(raw) ? [raw] : raw) {
      for (let start = 0; start < df.height; start += size) {
        const batch = this.#numbered(df.slice(start, size))
        this.#readRows += batch.height
        yield batch
      }
    }
  }

  /** Rows that do not come from the file are numbered as they come. */
  #numbered(df: Frame): Frame {
    if (df.columns.includes(originColumns.record)) return df
    const numbers = Array.from({ length: df.height }, (_, row) => this.#readRows + row + 1)
    return df.withColumns(this.pl.Series(originColumns.record, numbers, this.pl.Int64))
  }

  #count(counts: ReadonlyMap<string, Counts>): void {
    for (const [table, { created, updated, unchanged }] of counts) {
      const sum = this.#tables.get(table) ?? { created: 0, updated: 0, unchanged: 0 }
      this.#tables.set(table, {
        created: sum.created + created,
        updated: sum.updated + updated,
        unchanged: sum.unchanged + unchanged,
      })
    }
  }

  #result({ rejects, cleaning }: Work): ImportResult {
    return {
      dryRun: this.dryRun,
      read: this.#readRows,
      cleaned: this.#cleanedRows,
      dropped: cleaning.dropped,
      rejected: rejects.count,
      rejectsFile: rejects.file ?? null,
      tables: Object.fromEntries(this.#tables),
    }
  }

  #report(work: Work): void {
    const { read, cleaned, dropped, rejected, rejectsFile, tables } = this.#result(work)
    const where = rejectsFile === null ? '' : ` (see ${rejectsFile})`
    this.stdout.write(
      `rows: ${read} read, ${cleaned} cleaned, ${dropped} dropped, ${rejected} rejected${where}`,
    )
    for (const [table, { created, updated, unchanged }] of Object.entries(tables))
      this.stdout.write(`${table}: ${created} created, ${updated} updated, ${unchanged} unchanged`)
    if (this.dryRun) this.stdout.write(this.style.notice('Dry run: nothing was written to the database'))
  }
}

/** What an import has while it runs. */
interface Work {
  readonly pl: Polars
  readonly rejects: Rejects
  readonly cleaning: CleaningDF
}

function isFrame(raw: RawRows): raw is Frame {
  return typeof (raw as Partial<Frame>).getColumn === 'function'
}
