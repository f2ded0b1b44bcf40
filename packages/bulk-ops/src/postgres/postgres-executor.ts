import { assembleRows, decodeRows, type RawRow } from '../assemble-rows.ts'
import type { Driver } from '../drizzle/databases.ts'
import { DrizzleExecutor } from '../drizzle-executor.ts'
import { encodeBatch, holdsSql } from '../encode.ts'
import { UnsupportedError } from '../errors.ts'
import type { Batch, Executor, ResolvedUpsert, Row, Written } from '../executor.ts'
import { runAwaiting, step, type Steps } from '../steps.ts'
import type { TableMeta } from '../table-meta.ts'
import type { Query } from './given-rows.ts'
import { insertQueries } from './insert-queries.ts'
import { upsertQuery, type Outcome } from './upsert-query.ts'

/** How often rows that other transactions are creating at the same time are asked for again. */
const MAX_ATTEMPTS = 5

/** Writes through PostgreSQL's `unnest`: a statement has one parameter for each column, however many rows. */
export class PostgresExecutor implements Executor {
  readonly canTransact = true
  readonly isSynchronous = false
  readonly #driver: Driver

  constructor(driver: Driver) {
    this.#driver = driver
  }

  transaction<T>(body: (inside: Executor) => Steps<T>): Promise<T> {
    return this.#driver.db.transaction((tx) =>
      runAwaiting(body(new PostgresExecutor({ ...this.#driver, db: tx }))),
    )
  }

  *insert(batch: Batch, onConflict: 'error' | 'ignore'): Steps<Written> {
    const encoded = encodeBatch(batch)
    if (encoded.hasSql) return yield* new DrizzleExecutor(this.#driver).insert(batch, onConflict)
    const { table, wanted, rows } = batch
    const isIgnoring = onConflict === 'ignore'
    // Only what is returned tells how many were not skipped.
    const returning = isIgnoring
      ? wanted.length > 0
        ? wanted
        : encoded.columns.slice(0, 1)
      : encoded.unknown
    const returned: RawRow[] = []
    for (const query of insertQueries(table, encoded, { isIgnoring, returning })) {
      for (const raw of yield* this.#run(table, query)) returned.push(raw)
    }
    if (!isIgnoring && returning.length > 0 && returned.length !== rows.length) {
      throw new UnsupportedError(`A trigger or rule of ${table.name} left out rows; use returning: 'none'`)
    }
    const created = isIgnoring ? returned.length : rows.length
    return {
      rows: isIgnoring ? decodeRows(wanted, returned) : assembleRows(wanted, encoded, returned),
      counts: { created, updated: 0, unchanged: rows.length - created },
    }
  }

  *upsert(batch: Batch, upsert: ResolvedUpsert): Steps<Written> {
    if (holdsSql(batch)) return yield* new DrizzleExecutor(this.#driver).upsert(batch, upsert)
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const rows: Row[] = []
    let waiting = groupByGiven(batch)
    for (let attempt = 0; waiting.length > 0; attempt += 1) {
      if (attempt === MAX_ATTEMPTS)
        throw new UnsupportedError(`Rows of ${batch.table.name} are changed too often`)
      const lost: number[][] = []
      for (const indexes of waiting) {
        const answers = yield* this.#upsertAlike(batch, indexes, upsert)
        const lostOfGroup: number[] = []
        for (const [at, index] of indexes.entries()) {
          const [outcome, ...raw] = answers[at] ?? ['lost']
          if (outcome === 'lost') {
            lostOfGroup.push(index)
            continue
          }
          counts[outcome as Exclude<Outcome, 'lost'>] += 1
          for (const row of decodeRows(batch.wanted, [raw])) rows[index] = row
        }
        if (lostOfGroup.length > 0) lost.push(lostOfGroup)
      }
      waiting = lost
    }
    return { rows, counts }
  }

  /** Upserts those rows of a batch, which all give the same columns. */
  *#upsertAlike(
    { table, wanted, rows }: Batch,
    indexes: readonly number[],
    upsert: ResolvedUpsert,
  ): Steps<RawRow[]> {
    const group = indexes.map((index) => rows[index] ?? {})
    const update = upsert.update.filter(({ key }) => group[0]?.[key] !== undefined)
    const encoded = encodeBatch({ table, wanted, rows: group })
    return yield* this.#run(table, upsertQuery({ table, encoded, target: upsert.target, update, wanted }))
  }

  *#run({ schema, name }: TableMeta, query: Query): Steps<RawRow[]> {
    const tables = [schema === undefined ? name : `${schema}.${name}`]
    const prepared = this.#driver.db.session.prepareQuery(query, undefined, undefined, true, (rows) => rows, {
      type: 'insert',
      tables,
    })
    return yield* step(prepared.execute() as Promise<RawRow[]>)
  }
}

/** The indexes of rows by which columns they give: the others keep their values, or get their defaults. */
function groupByGiven({ table, rows }: Batch): number[][] {
  const groups = new Map<string, number[]>()
  for (const [index, row] of rows.entries()) {
    const given = table.columns.map(({ key }) => (row[key] === undefined ? '0' : '1')).join('')
    const group = groups.get(given)
    if (group) group.push(index)
    else groups.set(given, [index])
  }
  return [...groups.values()]
}
