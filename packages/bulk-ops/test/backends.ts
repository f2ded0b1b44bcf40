import { startPhantomDB } from '@outrider/phantomdb'
import { connect } from '@outrider/phantomdb-client'
import { drizzle as drizzlePhantomDB } from '@outrider/phantomdb-client/drizzle'
import { startPostgresServer } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import type { Table } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePgProxy } from 'drizzle-orm/pg-proxy'
import { drizzle as drizzleSqliteProxy } from 'drizzle-orm/sqlite-proxy'
import { Client, Pool } from 'pg'
import type { BulkDatabase } from '../src/index.ts'
import * as pgTables from './pg-schema.ts'
import * as sqliteTables from './sqlite-schema.ts'

type Rows = Record<string, unknown>[]

/** A database with the tables of the contract suite. */
export interface Backend {
  readonly db: BulkDatabase
  readonly tables: typeof pgTables
  /** The rows of a table as Drizzle reads them, by key. */
  read(table: Table): Promise<Rows>
  /** Inserts one row as Drizzle does. */
  insert(table: Table, row: Record<string, unknown>): Promise<void>
  /** Runs statements on the connection. */
  execute(sql: string): Promise<void>
  /** Runs a part in a transaction, which commits unless the part rejects. */
  transaction(run: (tx: BulkDatabase) => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** Drizzle's calls that both dialects have, without the types of a schema. */
interface AnyDrizzle {
  select(): { from(table: Table): PromiseLike<Rows> }
  insert(table: Table): { values(row: Record<string, unknown>): PromiseLike<unknown> }
  transaction(run: (tx: BulkDatabase) => Promise<void>): Promise<void>
}

function backend(
  db: BulkDatabase,
  tables: typeof pgTables,
  own: Pick<Backend, 'close' | 'execute'> & Partial<Backend>,
): Backend {
  const drizzle = db as unknown as AnyDrizzle
  return {
    db,
    tables,
    read: async (table) =>
      (await drizzle.select().from(table)).toSorted((a, b) => Number(a['id']) - Number(b['id'])),
    insert: async (table, row) => void (await drizzle.insert(table).values(row)),
    transaction: (run) => drizzle.transaction(run),
    ...own,
  }
}

/** The same rows, in other column types. */
const asPgTables = sqliteTables as unknown as typeof pgTables

function openSqlite(): Database.Database {
  const client = new Database(':memory:')
  for (const statement of sqliteTables.statements) client.exec(statement)
  return client
}

export async function openBetterSqlite(): Promise<Backend> {
  const client = openSqlite()
  return backend(drizzleSqlite(client), asPgTables, {
    execute: async (sql) => void client.exec(sql),
    transaction: async (run) => {
      // A transaction of better-sqlite3 ends before anything that is awaited in it.
      let outcome: Promise<void> = Promise.resolve()
      drizzleSqlite(client).transaction((tx) => {
        outcome = run(tx)
      })
      await outcome
    },
    close: async () => void client.close(),
  })
}

/** An asynchronous SQLite driver, for which there is no fast path. */
export async function openSqliteProxy(): Promise<Backend> {
  const client = openSqlite()
  const db = drizzleSqliteProxy(async (sql, params, method) => {
    const statement = client.prepare(sql)
    if (!statement.reader) {
      statement.run(...(params as unknown[]))
      return { rows: [] }
    }
    return {
      rows: statement
        .raw()
        .all(...(params as unknown[]))
        .slice(0, method === 'get' ? 1 : undefined),
    }
  })
  return backend(db, asPgTables, {
    execute: async (sql) => void client.exec(sql),
    close: async () => void client.close(),
  })
}

/** PostgreSQL over a driver without transactions. */
export async function openPgProxy(): Promise<Backend> {
  const { url, stop } = await startPostgres()
  const client = new Client({ connectionString: url })
  await client.connect()
  const db = drizzlePgProxy(async (sql, params, method) => {
    const text = { text: sql, values: params, ...(method === 'all' ? { rowMode: 'array' as const } : {}) }
    const { rows } = await client.query<Record<string, unknown>>(text)
    return { rows }
  })
  return backend(db, pgTables, {
    execute: async (sql) => void (await client.query(sql)),
    close: async () => {
      await client.end()
      await stop()
    },
  })
}

export async function openNodePostgres(): Promise<Backend> {
  const { url, stop } = await startPostgres()
  const pool = new Pool({ connectionString: url })
  return backend(drizzlePostgres(pool), pgTables, {
    execute: async (sql) => void (await pool.query(sql)),
    close: async () => {
      await pool.end()
      await stop()
    },
  })
}

export async function openPhantomDB(): Promise<Backend> {
  const { url, name, stop } = await startPostgres()
  const server = await startPhantomDB({ url, port: 0 })
  const client = connect(server.url, { database: name })
  return backend(drizzlePhantomDB(client), pgTables, {
    execute: async (sql) => void (await client.query(sql)),
    close: async () => {
      await client.close()
      await server.close()
      await stop()
    },
  })
}

async function startPostgres(): Promise<{ url: string; name: string; stop: () => Promise<void> }> {
  const server = await startPostgresServer()
  const { url, name } = await server.createDatabase()
  const client = new Client({ connectionString: url })
  await client.connect()
  for (const statement of pgTables.statements) await client.query(statement)
  await client.end()
  return { url, name, stop: () => server.stop() }
}
