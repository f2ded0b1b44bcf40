import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { startPhantomDB } from '@outrider/phantomdb'
import { startTcpProxy } from '@outrider/test-kit'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  AuthError,
  connect,
  ConnectionError,
  DatabaseError,
  DataError,
  IntegrityError,
  InterfaceError,
  InternalError,
  isPhantomDBError,
  ProgrammingError,
  SerializationError,
  TimeoutError,
  TransactionExpiredError,
  UniqueViolationError,
  type ConnectOptions,
  type PhantomDBClient,
  type Selection,
} from '../src/index.ts'
import { useServer } from './fixture.ts'

const server = useServer()
let client: PhantomDBClient

beforeAll(async () => {
  client = server.connect('client')
  await client.createTable('users', [
    { name: 'id', type: 'INTEGER', primaryKey: true },
    { name: 'email', type: 'VARCHAR(254)', nullable: false, unique: true },
    { name: 'age', type: 'BIGINT', check: { age: { gte: 0 } } },
    { name: 'seen', type: 'TIMESTAMP' },
    { name: 'avatar', type: 'BLOB' },
    { name: 'meta', type: 'JSON' },
  ])
})

const users = () => client.table('users')

describe('a client', () => {
  it('tells the health of the server', async () => {
    expect(await client.healthCheck()).toMatchObject({ status: 'ok', engine: 'external' })
  })

  it('creates, lists and deletes databases and tables', async () => {
    await client.createDatabase('own')
    expect(await client.listDatabases()).toContain('own')
    const own = client.db('own')
    await own.createTable('a/b "c"', [{ name: 'n', type: 'INTEGER' }])
    await own.table('a/b "c"').insert({ n: 1 })
    expect(await own.listTables()).toEqual(['a/b "c"'])
    await own.dropTable('a/b "c"')
    expect(await own.listTables()).toEqual([])
    await client.deleteDatabase('own')
    expect(await client.listDatabases()).not.toContain('own')
  })

  it('needs a database for tables and queries only', async () => {
    const none = connect(server.url)
    await expect(none.query('select 1')).rejects.toThrow(
      'No database: give one to connect(), or use db(name)',
    )
    expect((await none.db('client').query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await none.close()
  })

  it('refuses calls once it is closed, whose running calls end first', async () => {
    const other = server.connect('client')
    const running = other.query('select pg_sleep(0.05)')
    await other.close()
    await expect(running).resolves.toMatchObject({ rowCount: 1 })
    await expect(other.query('select 1')).rejects.toThrow(InterfaceError)
  })
})

describe('rows', () => {
  it('go there and back', async () => {
    const seen = new Date('2024-02-29T12:00:00Z')
    const { id } = await users().insert({
      email: 'round@x',
      age: 9007199254740993n,
      seen,
      avatar: new Uint8Array([104, 105]),
      meta: ['a', { b: null }],
    })
    const [row] = await users().select({ where: { id: Number(id) } })
    expect(row).toEqual({
      id,
      email: 'round@x',
      age: '9007199254740993',
      seen: expect.stringContaining('2024-02-29') as string,
      avatar: 'aGk=',
      meta: ['a', { b: null }],
    })
    expect(new Date(String(row?.['seen']))).toEqual(seen)
    const where = { age: { gt: 9007199254740992n }, seen: { lte: seen }, email: undefined }
    expect(
      await users().select({
        columns: ['email'],
        where: { and: [{ age: where.age }, { seen: where.seen }] },
      }),
    ).toEqual([{ email: 'round@x' }])
  })

  it('are inserted, changed and deleted', async () => {
    const { ids, records } = await users().insert([{ email: 'ADA@x' }, { email: 'bob@x', age: 3 }], {
      returning: ['email'],
    })
    expect(ids).toHaveLength(2)
    expect(records).toEqual([{ email: 'ADA@x' }, { email: 'bob@x' }])
    expect((await users().insert({ email: 'cy@x' }, { returning: '*' })).record).toMatchObject({
      email: 'cy@x',
    })
    const query = { columns: ['email'], where: { email: { icontains: 'ada' } } }
    expect(await users().select(query)).toEqual([{ email: 'ADA@x' }])
    expect(await users().update({ age: 1 }, { where: "email IN ('ADA@x', 'bob@x')" })).toBe(2)
    expect(
      await users().select({ columns: ['email'], where: { age: 1 }, order: ['-email'], limit: 1 }),
    ).toEqual([{ email: 'bob@x' }])
    expect(await users().delete({ where: { age: 1 } })).toBe(2)
    expect(await users().insert([])).toEqual({ ids: [], records: undefined })
  })

  it('are all changed or deleted only when that is said', async () => {
    await client.query('create table all_of (n int)')
    const table = client.table('all_of')
    await table.insert([{ n: 1 }, { n: 2 }])
    for (const selection of [{}, { all: false }, { where: undefined }, undefined]) {
      await expect(table.delete(selection as unknown as Selection)).rejects.toThrow(TypeError)
      await expect(table.update({ n: 3 }, selection as unknown as Selection)).rejects.toThrow(TypeError)
    }
    await expect(table.delete({ where: {} })).rejects.toThrow('empty')
    expect(await table.update({ n: 3 }, { all: true })).toBe(2)
    expect(await table.delete({ all: true })).toBe(2)
  })
})

describe('SQL', () => {
  it('gives rows as objects or arrays', async () => {
    const sql = 'select $1::int as a, $2::text as b'
    expect(await client.query(sql, [1, 'x'])).toEqual({
      columns: ['a', 'b'],
      types: [23, 25],
      rows: [{ a: 1, b: 'x' }],
      rowCount: 1,
      affectedRows: 0,
    })
    expect((await client.queryArrays(sql, [1, 'x'])).rows).toEqual([[1, 'x']])
  })

  it('takes every kind of parameter', async () => {
    const sql =
      'select $1::int8, $2::float8, $3::bytea, $4::timestamptz, $5::int8[], $6::jsonb, $7::text, $8::bytea[]'
    const { rows } = await client.queryArrays(sql, [
      9007199254740993n,
      -Infinity,
      Buffer.from('hi'),
      new Date(0),
      [1n, null],
      { n: 1n },
      undefined,
      [Buffer.from('hi')],
    ])
    const text = expect.stringContaining('1970-01-01') as string
    expect(rows).toEqual([
      ['9007199254740993', '-Infinity', 'aGk=', text, [1, null], { n: '1' }, null, ['aGk=']],
    ])
  })

  it('runs a batch whole or not at all', async () => {
    const insert = { query: 'insert into users (email) values ($1)', parameters: ['batch@x'] }
    const failed = client.batch([insert, insert])
    await expect(failed).rejects.toMatchObject({ name: 'UniqueViolationError', details: { statement: 1 } })
    const [inserted, read] = await client.batch([
      insert,
      { query: 'select email from users where email = $1', parameters: ['batch@x'] },
    ])
    expect(inserted).toMatchObject({ affectedRows: 1, rows: [] })
    expect(read?.rows).toEqual([{ email: 'batch@x' }])
    expect(await client.batch([])).toEqual([])
  })

  it('is cancelled by its signal, with the reason of that', async () => {
    const controller = new AbortController()
    const running = client.query('select pg_sleep(600)', [], { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
  })
})

describe('a transaction', () => {
  const count = async () => (await users().select({ where: { email: { startswith: 'tx' } } })).length

  it('commits what its callback did, and gives what it gave', async () => {
    const before = await count()
    const id = await client.transaction(async (tx) => (await tx.table('users').insert({ email: 'tx1@x' })).id)
    expect(id).toEqual(expect.any(Number))
    expect(await count()).toBe(before + 1)
  })

  it('undoes everything when its callback fails, and rejects with that error', async () => {
    const before = await count()
    const reason = new Error('changed my mind')
    const failed = client.transaction(async (tx) => {
      await tx.query("insert into users (email) values ('tx2@x')")
      expect((await tx.table('users').select({ where: { email: 'tx2@x' } })).length).toBe(1)
      throw reason
    })
    await expect(failed).rejects.toBe(reason)
    expect(await count()).toBe(before)
  })

  it('does not pass for committed when a statement failed that the callback caught', async () => {
    const failed = client.transaction(async (tx) => {
      await tx.query('select 1/0').catch(() => {})
    })
    await expect(failed).rejects.toMatchObject({ name: 'InternalError', sqlstate: '25P02' })
    await expect(failed).rejects.toBeInstanceOf(InternalError)
  })

  it('runs again when another came first', async () => {
    await client.query('create table hits (n int)')
    await client.query('insert into hits values (0)')
    let runs = 0
    const add = () =>
      client.transaction(
        async (tx) => {
          runs += 1
          const { rows } = await tx.query<{ n: number }>('select n from hits')
          await tx.query('update hits set n = $1', [(rows[0]?.n ?? 0) + 1])
        },
        { isolationLevel: 'serializable', retries: 20 },
      )
    await Promise.all([add(), add(), add()])
    expect((await client.query('select n from hits')).rows).toEqual([{ n: 3 }])
    expect(runs).toBeGreaterThan(3)
  })

  it('is not run again when that was not asked for, nor for other errors', async () => {
    let runs = 0
    const conflict = async () => {
      runs += 1
      throw new SerializationError('no', { sqlstate: '40001' })
    }
    await expect(client.transaction(conflict, { retries: 0 })).rejects.toThrow(SerializationError)
    expect(runs).toBe(1)
    await expect(client.transaction(conflict, { retries: 2 })).rejects.toThrow(SerializationError)
    expect(runs).toBe(4)
  })

  it('by hand is rolled back by `await using`, unless it was committed', async () => {
    const before = await count()
    {
      await using tx = await client.beginTransaction({ accessMode: 'read write' })
      await tx.table('users').insert({ email: 'tx3@x' })
    }
    expect(await count()).toBe(before)
    await using tx = await client.beginTransaction()
    await tx.table('users').insert({ email: 'tx4@x' })
    await tx.commit()
    await tx.commit()
    expect(await count()).toBe(before + 1)
  })

  it('commits although waiters for its locks use up all connections', async () => {
    const small = server.connect('client', { maxConnections: 1 })
    await client.query('create table locked (n int)')
    await client.query('insert into locked values (0)')
    const add = 'update locked set n = n + 1'
    const tx = await small.beginTransaction()
    await tx.query(add)
    const waiters = Promise.all([small.query(add), small.query(add)])
    const isWaiting = async () =>
      (await client.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'")).rowCount
    await expect.poll(isWaiting).toBe(1)
    await tx.commit()
    await waiters
    expect((await client.query('select n from locked')).rows).toEqual([{ n: 3 }])
  })

  it('says that it expired', async () => {
    const tx = await client.beginTransaction({ timeoutMs: 20 })
    const isOpen = async () =>
      (await client.query("select 1 from pg_stat_activity where state = 'idle in transaction'")).rowCount
    await expect.poll(isOpen).toBe(0)
    await expect(tx.query('select 1')).rejects.toBeInstanceOf(TransactionExpiredError)
    await expect(tx.commit()).rejects.toMatchObject({ code: 'transaction_expired' })
    await tx.rollback()
  })

  it.each([{ isolation: 'serializable' }, { isolationLevel: 'chaos' }, { retries: -1 }, { timeoutMs: 0 }])(
    'is not begun with %j',
    async (options) => {
      await expect(client.transaction(async () => {}, options as object)).rejects.toThrow(TypeError)
    },
  )
})

describe('an error', () => {
  it.each([
    ['insert into users (email) select email from users limit 1', UniqueViolationError, '23505'],
    ['insert into users (email, age) values (null, 1)', IntegrityError, '23502'],
    ['select * from nope', ProgrammingError, '42P01'],
    ['selec 1', ProgrammingError, '42601'],
    ['select 1/0', DataError, '22012'],
  ])('of %s is of its class', async (sql, ErrorClass, sqlstate) => {
    await users().insert([{ email: `${crypto.randomUUID()}@x` }])
    const failed = client.query(sql)
    await expect(failed).rejects.toBeInstanceOf(ErrorClass)
    await expect(failed).rejects.toMatchObject({ sqlstate, code: 'query_error' })
  })

  it('says which table is missing', async () => {
    const failed = client.table('nope').select()
    await expect(failed).rejects.toThrow("Table 'nope' does not exist")
    await expect(failed).rejects.toBeInstanceOf(DatabaseError)
  })

  it('names the constraint and no values', async () => {
    await users().insert({ email: 'secret@x' })
    const error: unknown = await users()
      .insert({ email: 'secret@x' })
      .catch((cause: unknown) => cause)
    expect(isPhantomDBError(error) && error.details).toEqual({
      constraint: 'users_email_key',
      table: 'users',
    })
    expect(String(error)).not.toContain('secret')
  })

  it('of a condition has its position', async () => {
    const failed = users().select({ where: 'age = 1; drop table users' })
    await expect(failed).rejects.toMatchObject({ code: 'invalid_condition', details: { position: 8 } })
  })

  it('of a call that cannot be made like this is an InterfaceError', async () => {
    await expect(users().select({ limit: 20_000 })).rejects.toBeInstanceOf(InterfaceError)
  })

  it('without a server says so, and that nothing ran', async () => {
    await using nobody = connect('http://127.0.0.1:1', { database: 'x' })
    const failed = nobody.query('select 1')
    await expect(failed).rejects.toThrow('Failed to connect to PhantomDB server')
    await expect(failed).rejects.toMatchObject({ name: 'ConnectionError', maybeExecuted: false })
  })

  it('of a broken connection says that the call may have run', async () => {
    const { hostname, port } = new URL(server.url)
    await using proxy = await startTcpProxy({ host: hostname, port: Number(port) })
    await using through = connect(`http://127.0.0.1:${proxy.port}`, { database: 'client' })
    await through.healthCheck()
    const running = through.query("select pg_sleep(600), 'cut'")
    const isRunning = async () =>
      (
        await client.query(
          "select 1 from pg_stat_activity where query like '%''cut''' and state = 'active' and pid <> pg_backend_pid()",
        )
      ).rowCount
    await expect.poll(isRunning).toBe(1)
    proxy.cut()
    await expect(running).rejects.toMatchObject({ name: 'ConnectionError', maybeExecuted: true })
    await expect.poll(isRunning).toBe(0)
  })

  it('of a reply that takes too long is a TimeoutError, and the server stops working on it', async () => {
    const hasty = server.connect('client', { requestTimeoutMs: 50 })
    await expect(hasty.query('select pg_sleep(600)')).rejects.toBeInstanceOf(TimeoutError)
    const patient = hasty.query('select pg_sleep(0.1)', [], { requestTimeoutMs: Infinity })
    await expect(patient).resolves.toMatchObject({ rowCount: 1 })
  })

  it('of a wrong token is an AuthError', async () => {
    const token = 'correct-horse-battery'
    await using guarded = await startPhantomDB({ url: server.postgresUrl, port: 0, auth: { token } })
    await using stranger = connect(guarded.url, { database: 'client' })
    const failed = stranger.query('select 1')
    await expect(failed).rejects.toThrow('Unauthorized access')
    await expect(failed).rejects.toBeInstanceOf(AuthError)
    await using friend = connect({ url: guarded.url, database: 'client', token })
    expect((await friend.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('of a server that is not PhantomDB is a ConnectionError', async () => {
    const other: Server = createServer((_, reply) => reply.writeHead(502).end('<h1>Bad gateway</h1>'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    await using confused = connect(`http://127.0.0.1:${port}`, { database: 'x' })
    await expect(confused.query('select 1')).rejects.toBeInstanceOf(ConnectionError)
  })
})

describe('options', () => {
  it.each([
    [{ maxConnection: 1 }, 'Unknown option "maxConnection"; did you mean "maxConnections"?'],
    [{ maxConnections: 0 }, 'Expected maxConnections to be an integer from 1 to 10000, got 0 (number)'],
    [{ requestTimeoutMs: 0 }, 'Expected requestTimeoutMs to be an integer > 0'],
    [{ database: '' }, 'Expected database to be a string that is not empty'],
  ])('%j is a TypeError', (options, message) => {
    expect(() => connect('http://x', options as ConnectOptions)).toThrow(TypeError)
    expect(() => connect('http://x', options as ConnectOptions)).toThrow(message)
  })

  it.each(['localhost:8080', 'ftp://x', 'http://user:secret@x', 'http://x/?database=y'])(
    '%s is no URL',
    (url) => {
      expect(() => connect(url)).toThrow('Expected url to be an http:// or https:// URL')
    },
  )
})
