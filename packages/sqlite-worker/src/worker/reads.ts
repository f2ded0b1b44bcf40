import type { Database, Statement } from 'better-sqlite3'
import type { ChunkMessage, StoredValue } from '../protocol.ts'
import { WorkerFailure } from './failure.ts'
import { FlatRows } from './flat-rows.ts'
import { narrowIntegers } from './integers.ts'
import type { Prepared, SingleParams } from './prepared.ts'
import type { SharedState } from './shared.ts'

/** How often a long read looks whether it was given up, in rows. */
const ABORT_CHECK_ROWS = 64

/** The rest of a result, after the chunks that left already. */
export interface ReadResult {
  readonly prepared: Prepared
  readonly columns: readonly string[]
  readonly rows: FlatRows
}

/** Runs statements that return rows. Large results leave in chunks while they are read. */
export class Reads {
  readonly #db: Database
  readonly #shared: SharedState
  readonly #post: (message: ChunkMessage) => void
  readonly #begin: Statement
  readonly #commit: Statement
  /** The version of the schema that every read of the current transaction sees, where it is known. */
  schemaVersion: number | undefined

  constructor(db: Database, shared: SharedState, post: (message: ChunkMessage) => void) {
    this.#db = db
    this.#shared = shared
    this.#post = post
    this.#begin = db.prepare('BEGIN')
    this.#commit = db.prepare('COMMIT')
  }

  /** Reads all rows of the operation at `index`. @throws what SQLite throws, or {@link WorkerFailure}. */
  run(prepared: Prepared, params: SingleParams, index: number, streamed: boolean): ReadResult {
    if (streamed || prepared.isLarge !== false) return this.#runLarge(prepared, params, index)
    const chunks = [new FlatRows()]
    for (const row of prepared.all(params)) addTo(chunks, row)
    if (prepared.int64 === 'strict' && chunks.some((rows) => rows.isInexact))
      return this.#runLarge(prepared, params, index)
    const columns = prepared.columns(this.schemaVersion)
    const rest = chunks.pop() ?? new FlatRows()
    for (const rows of chunks) this.#send(prepared, index, columns, rows)
    prepared.isLarge = chunks.length > 0
    return { prepared, columns, rows: rest }
  }

  /** All rows at once, exact from the start: for a statement that also writes, and so cannot run twice. */
  readWhole(prepared: Prepared, params: SingleParams): ReadResult {
    const rows = new FlatRows()
    const read = () => prepared.all(params)
    const all = prepared.int64 === 'strict' ? prepared.exactly(read) : read()
    const columns = prepared.columns(this.schemaVersion)
    for (const row of all) {
      if (prepared.int64 === 'strict') narrowIntegers(row, columns)
      rows.add(row)
    }
    return { prepared, columns, rows }
  }

  /** Chunks leave while it reads, so that neither side waits for the whole; all of it is one snapshot. */
  #runLarge(prepared: Prepared, params: SingleParams, index: number): ReadResult {
    const ownsTransaction = !this.#db.inTransaction
    if (ownsTransaction) this.#begin.run()
    try {
      return this.#readChunks(prepared, params, index)
    } finally {
      if (ownsTransaction && this.#db.inTransaction) this.#commit.run()
    }
  }

  /** Reads plain numbers, which is fast, and goes on exactly in the rare case that digits may be missing. */
  #readChunks(prepared: Prepared, params: SingleParams, index: number): ReadResult {
    const sent = { rows: 0 }
    const isExact = prepared.isRandom && prepared.int64 === 'strict' // going on would mix two runs
    let rest = isExact ? undefined : this.#readFrom(prepared, params, index, sent, false)
    if (!rest) rest = prepared.exactly(() => this.#readFrom(prepared, params, index, sent, true))
    prepared.isLarge = sent.rows > 0
    return { prepared, columns: prepared.columns(this.schemaVersion), rows: rest as FlatRows }
  }

  /** Sends rows after the first `sent.rows`; returns the last ones, or undefined where plain numbers do not do. */
  #readFrom(
    prepared: Prepared,
    params: SingleParams,
    index: number,
    sent: { rows: number },
    exact: boolean,
  ): FlatRows | undefined {
    const strict = prepared.int64 === 'strict'
    const skip = sent.rows
    let columns: readonly string[] | undefined
    let rows = new FlatRows()
    let read = 0
    for (const row of prepared.iterate(params)) {
      read += 1
      if (read % ABORT_CHECK_ROWS === 0 && this.#shared.isAborted(index)) throw aborted()
      if (read <= skip) continue
      if (exact && strict) narrowIntegers(row, (columns ??= prepared.columns(this.schemaVersion)))
      rows.add(row)
      if (!rows.isFull) continue
      if (strict && !exact && rows.isInexact) return undefined
      this.#send(prepared, index, (columns ??= prepared.columns(this.schemaVersion)), rows)
      sent.rows += rows.count
      rows = new FlatRows()
    }
    return strict && !exact && rows.isInexact ? undefined : rows
  }

  #send(prepared: Prepared, index: number, columns: readonly string[], rows: FlatRows): void {
    if (!this.#shared.waitToSend(index)) throw aborted()
    const { values, count } = rows
    this.#post({ type: 'chunk', index, columns: prepared.columnsToSend(columns), count, values })
  }
}

function addTo(chunks: FlatRows[], row: StoredValue[]): void {
  let last = chunks.at(-1) as FlatRows
  if (last.isFull) chunks.push((last = new FlatRows()))
  last.add(row)
}

function aborted(): WorkerFailure {
  return new WorkerFailure('aborted', 'The operation was given up while it ran')
}
