import { getTableName } from 'drizzle-orm'
import { is } from 'drizzle-orm/entity'
import { Name, Param, Placeholder, SQL, StringChunk, type Query } from 'drizzle-orm/sql'
import { SQLiteAsyncDialect, SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'

// Not in Drizzle's types.
interface DialectInternals {
  readonly casing: { getColumnCasing(column: SQLiteColumn): string }
}

/**
 * Drizzle's dialect with a shorter way from a query to its text, which is what the main thread is busy with most. Where it
 * meets anything but the common parts of a query, Drizzle's own code does all of it.
 */
export class SqliteWorkerDialect extends SQLiteAsyncDialect {
  override sqlToQuery(sql: SQL, invokeSource?: 'indexes'): ReturnType<SQLiteAsyncDialect['sqlToQuery']> {
    if (invokeSource !== undefined) return super.sqlToQuery(sql, invokeSource)
    const query = { sql: '', params: [] }
    return this.#write([sql], query) ? query : super.sqlToQuery(sql)
  }

  /** Appends chunks to a query. Returns whether it knew all of them. */
  #write(chunks: readonly unknown[], query: Query): boolean {
    for (const chunk of chunks) if (!this.#writeChunk(chunk, query)) return false
    return true
  }

  #writeChunk(chunk: unknown, query: Query): boolean {
    if (chunk === undefined) return true
    if (chunk === null || typeof chunk !== 'object') return writeParam(chunk, query)
    // by constructor: faster than instanceof, and a subclass may mean something else
    switch (chunk.constructor) {
      case StringChunk: {
        const { value } = chunk as StringChunk
        query.sql += value.length === 1 ? value[0] : value.join('')
        return true
      }
      case Name:
        query.sql += this.escapeName((chunk as Name).value)
        return true
      case SQL:
        return !inlinesParams(chunk as SQL) && this.#write((chunk as SQL).queryChunks, query)
      case Param:
        return this.#writeBound(chunk as Param, query)
      case Placeholder:
        return writeParam(chunk, query)
      case Array:
        return this.#writeList(chunk as unknown[], query)
      default:
        return this.#writeName(chunk, query)
    }
  }

  #writeBound(param: Param, query: Query): boolean {
    const { value, encoder } = param
    if (is(value, Placeholder)) return writeParam(param, query)
    const mapped: unknown = value === null ? null : encoder.mapToDriverValue(value)
    if (typeof mapped === 'object' && mapped !== null && !(mapped instanceof Uint8Array)) return false // may be SQL
    return writeParam(mapped, query)
  }

  #writeList(list: readonly unknown[], query: Query): boolean {
    query.sql += '('
    for (const [index, chunk] of list.entries()) {
      if (index > 0) query.sql += ', '
      if (!this.#writeChunk(chunk, query)) return false
    }
    query.sql += ')'
    return true
  }

  #writeName(chunk: object, query: Query): boolean {
    if (chunk instanceof SQLiteColumn) {
      const column = (this as unknown as DialectInternals).casing.getColumnCasing(chunk)
      query.sql += `${this.escapeName(getTableName(chunk.table))}.${this.escapeName(column)}`
      return true
    }
    if (!(chunk instanceof SQLiteTable)) return false
    query.sql += this.escapeName(getTableName(chunk))
    return true
  }
}

function writeParam(value: unknown, query: Query): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false
  query.sql += '?'
  query.params.push(value)
  return true
}

function inlinesParams(sql: SQL): boolean {
  return (sql as unknown as { shouldInlineParams: boolean }).shouldInlineParams
}
