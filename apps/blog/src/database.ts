import { fileURLToPath } from 'node:url'
import { connect, type PhantomDBClient } from '@outrider/phantomdb-client'
import { drizzle, migrate, type PhantomDBDatabase } from '@outrider/phantomdb-client/drizzle'
import type { Gateway } from './lib/hub/messages.ts'
import * as schema from './models/index.ts'

/** The site's own data: the PhantomDB database `blog`, over HTTP. */
export type Database = PhantomDBDatabase<typeof schema>

export interface OpenDatabase {
  readonly db: Database
  readonly client: PhantomDBClient
  /** Brings the tables up to date; safe when several processes do so at once. */
  migrate(): Promise<void>
}

/** Opens the database behind a gateway. Nothing is sent yet. */
export function openDatabase({ url, token }: Gateway): OpenDatabase {
  const client = connect(url, { database: 'blog', ...(token !== undefined && { token }) })
  const db = drizzle(client, { schema })
  const migrationsFolder = fileURLToPath(new URL('../migrations/default', import.meta.url))
  return { db, client, migrate: () => migrate(db, { migrationsFolder }) }
}
