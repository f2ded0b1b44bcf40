import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWith, startPostgresServer, type TestPostgresServer } from '../src/index.ts'

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

describeWith('postgres', 'startPostgresServer', () => {
  let server: TestPostgresServer
  beforeAll(async () => {
    server = await startPostgresServer()
  })
  afterAll(() => server.stop())

  it('hands out databases that do not see each other', async () => {
    const [first, second] = await Promise.all([server.createDatabase(), server.createDatabase()])
    await query(first.url, 'create table notes (id int)')
    expect(await query(second.url, `select to_regclass('notes') as found`)).toEqual([{ found: null }])
    expect(await query(first.url, 'select current_database() as name')).toEqual([{ name: first.name }])
  })

  it('drops a database also while it is in use', async () => {
    const database = await server.createDatabase()
    const user = new Client({ connectionString: database.url })
    user.on('error', () => {})
    await user.connect()
    await database.drop()
    const names = await query(
      server.url,
      `select datname from pg_database where datname = '${database.name}'`,
    )
    expect(names).toEqual([])
    await user.end().catch(() => {})
  })
})
