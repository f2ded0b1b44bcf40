import { describe, expect, it } from 'vitest'
import { useGateway } from './fixture.ts'

const gateway = useGateway({ maxBodyBytes: 100_000 })
const users = '/databases/contract/tables/users'

const userColumns = [
  { name: 'id', type: 'INTEGER', primaryKey: true },
  { name: 'email', type: 'VARCHAR(254)', nullable: false, unique: true },
  { name: 'age', type: 'INTEGER', default: { value: 0 }, check: 'age >= 0' },
  { name: 'meta', type: 'JSON' },
  { name: 'avatar', type: 'BLOB' },
]

async function createUsers(): Promise<void> {
  await gateway.query('contract', 'drop table if exists profiles, users')
  const body = { name: 'users', columns: userColumns }
  expect(await gateway.call('POST /databases/contract/tables', { body })).toMatchObject({ status: 201 })
}

describe('the server', () => {
  it('says what it is', async () => {
    const { status, body } = await gateway.call('GET /health')
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'ok', engine: 'external' })
    expect(body['version']).toMatch(/^\d+/)
    expect(await gateway.call('GET /ready')).toMatchObject({ status: 200, body: { status: 'ready' } })
  })

  it('creates, lists and deletes databases', async () => {
    const body = { name: 'My "own" database' }
    const path = `/databases/${encodeURIComponent(body.name)}`
    expect(await gateway.call('POST /databases', { body })).toMatchObject({ status: 201 })
    expect(await gateway.call('POST /databases', { body })).toMatchObject({
      status: 409,
      body: { code: 'query_error', sqlstate: '42P04' },
    })
    expect((await gateway.call('GET /databases')).body['databases']).toContain(body.name)
    expect(await gateway.call(`DELETE ${path}`)).toMatchObject({ status: 200 })
    expect((await gateway.call('GET /databases')).body['databases']).not.toContain(body.name)
    expect(await gateway.call(`DELETE ${path}`)).toMatchObject({ status: 404, body: { sqlstate: '3D000' } })
  })

  it('creates a database on first use, once for calls at the same time', async () => {
    const replies = await Promise.all(
      Array.from({ length: 4 }, () => gateway.query('fresh', 'select 1 as one')),
    )
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await gateway.call('DELETE /databases/fresh')).toMatchObject({ status: 200 })
    expect(await gateway.query('fresh', 'select 1')).toMatchObject({ status: 200 })
  })

  it('answers errors with code, sqlstate, message, details and an id that the header repeats', async () => {
    const reply = await fetch(`${gateway.url}/nope?secret=1`)
    expect(reply.status).toBe(404)
    expect(await reply.json()).toEqual({
      error: 'There is no GET /nope',
      code: 'not_found',
      sqlstate: null,
      message: 'There is no GET /nope',
      details: {},
      retryable: false,
      requestId: reply.headers.get('x-request-id'),
    })
  })
})

describe('tables', () => {
  it('are created with keys, defaults, checks and references, listed and deleted', async () => {
    await createUsers()
    const columns = [
      {
        name: 'user_id',
        type: 'INTEGER',
        primaryKey: true,
        references: { table: 'users', column: 'id', onDelete: 'cascade' },
      },
      { name: 'slug', type: 'VARCHAR(32)', default: { expression: 'uuid' } },
      { name: 'key', type: 'UUID', default: { expression: 'uuid' } },
      { name: 'price', type: 'DECIMAL(8, 2)', default: { value: 1.5 } },
      { name: 'tags', type: 'JSON', default: { value: ['a'] } },
      { name: 'made', type: 'TIMESTAMP', default: { expression: 'now' } },
    ]
    const created = await gateway.call('POST /databases/contract/tables', {
      body: { name: 'profiles', columns },
    })
    expect(created).toMatchObject({ status: 201, body: { message: "Table 'profiles' created" } })
    expect((await gateway.call('GET /databases/contract/tables')).body).toEqual({
      tables: ['profiles', 'users'],
    })

    await gateway.call(`POST ${users}`, { body: { id: 7, email: 'ada@example.com' } })
    const inserted = await gateway.call('POST /databases/contract/tables/profiles?returning=*', {
      body: { user_id: 7 },
    })
    expect(inserted.body['records']).toEqual([
      {
        user_id: 7,
        slug: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        key: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        price: '1.50',
        tags: ['a'],
        made: expect.stringMatching(/^\d{4}-/) as string,
      },
    ])
    expect(await gateway.call(`DELETE ${users}`)).toMatchObject({ status: 409, body: { sqlstate: '2BP01' } })
    expect(await gateway.call('DELETE /databases/contract/tables/profiles')).toMatchObject({ status: 200 })
    expect(await gateway.call('DELETE /databases/contract/tables/profiles')).toMatchObject({
      status: 404,
      body: { sqlstate: '42P01', message: "Table 'profiles' does not exist" },
    })
  })

  it('may have a key of several columns', async () => {
    const columns = [
      { name: 'a', type: 'INTEGER', primaryKey: true },
      { name: 'b', type: 'INTEGER', primaryKey: true },
    ]
    await gateway.call('POST /databases/contract/tables', { body: { name: 'pairs', columns } })
    const path = '/databases/contract/tables/pairs'
    expect((await gateway.call(`POST ${path}`, { body: { a: 1, b: 1 } })).body['id']).toBeNull()
    expect(await gateway.call(`POST ${path}`, { body: { a: 1, b: 1 } })).toMatchObject({
      status: 409,
      body: { sqlstate: '23505', details: { constraint: 'pairs_pkey', table: 'pairs' } },
    })
  })

  it.each([
    [{ name: 'x', type: 'INTEGER; drop table users' }],
    [{ name: 'x', type: 'GEOMETRY' }],
    [{ name: 'x', type: 'INTEGER(4)' }],
    [{ name: '', type: 'TEXT' }],
    [{ name: 'x'.repeat(64), type: 'TEXT' }],
    [{ name: 'x', type: 'TEXT', default: { expression: 'pg_sleep(9)' } }],
    [{ name: 'x', type: 'TEXT', default: { value: { deep: 1 } } }],
    [{ name: 'x', type: 'TEXT', default: { value: 'a\0b' } }],
    [{ name: 'x', type: 'TEXT', check: "x = ''); drop table users; --" }],
    [{ name: 'x', type: 'TEXT', check: 'y = 1' }],
    [{ name: 'x', type: 'TEXT', nulable: false }],
    [{ name: 'x', type: 'TEXT', references: { table: 'users', column: 'id', onDelete: 'explode' } }],
  ])('are not created from %j', async (column) => {
    const body = { name: 'refused', columns: [column] }
    expect(await gateway.call('POST /databases/contract/tables', { body })).toMatchObject({ status: 400 })
    expect((await gateway.call('GET /databases/contract/tables')).body['tables']).not.toContain('refused')
  })
})

describe('rows', () => {
  it('are inserted, one or many, with their keys in the reply', async () => {
    await createUsers()
    const one = await gateway.call(`POST ${users}`, { body: { email: 'a@x', meta: [1], avatar: 'aGk=' } })
    expect(one).toEqual({ status: 201, body: { message: '1 row inserted', id: 1 } })
    const many = await gateway.call(`POST ${users}?returning=email,age`, {
      body: [{ email: 'b@x', age: 5 }, { email: 'c@x' }],
    })
    expect(many.body).toEqual({
      message: '2 rows inserted',
      ids: [2, 3],
      records: [
        { email: 'b@x', age: 5 },
        { email: 'c@x', age: 0 },
      ],
    })
    expect((await gateway.call(`GET ${users}?limit=1`)).body['records']).toEqual([
      { id: 1, email: 'a@x', age: 0, meta: [1], avatar: 'aGk=' },
    ])
  })

  it('are inserted all or none', async () => {
    await createUsers()
    const body = [{ email: 'a@x' }, { email: 'a@x' }]
    expect(await gateway.call(`POST ${users}`, { body })).toMatchObject({
      status: 409,
      body: { sqlstate: '23505' },
    })
    expect((await gateway.call(`GET ${users}`)).body['records']).toEqual([])
  })

  it('are read with condition, order, limit, offset and select', async () => {
    await createUsers()
    await gateway.call(`POST ${users}`, { body: [1, 2, 3, 4].map((age) => ({ email: `${age}@x`, age })) })
    const read = await gateway.call(`GET ${users}?condition=age>1&order=-age,id&limit=2&offset=1&select=age`)
    expect(read).toEqual({ status: 200, body: { records: [{ age: 3 }, { age: 2 }] } })
  })

  it('are updated and deleted by a condition, and the reply counts them', async () => {
    await createUsers()
    await gateway.call(`POST ${users}`, { body: [1, 2, 3].map((age) => ({ email: `${age}@x`, age })) })
    const update = { data: { age: 9 }, condition: { age: { lt: 3 } } }
    expect((await gateway.call(`PUT ${users}`, { body: update })).body).toEqual({
      message: '2 rows updated',
      count: 2,
    })
    expect((await gateway.call(`DELETE ${users}?condition=age=9`)).body).toMatchObject({ count: 2 })
    const all = { data: { meta: null }, condition: { and: [] } }
    expect((await gateway.call(`PUT ${users}`, { body: all })).body).toMatchObject({ count: 1 })
  })

  it('are not deleted by an empty condition, nor is the table', async () => {
    await createUsers()
    await gateway.call(`POST ${users}`, { body: { email: 'a@x' } })
    for (const empty of ['', '%20', '{}']) {
      expect(await gateway.call(`DELETE ${users}?condition=${empty}`)).toMatchObject({
        status: 400,
        body: { code: 'invalid_condition' },
      })
    }
    expect((await gateway.call(`GET ${users}`)).body['records']).toHaveLength(1)
  })

  it('are not cut off silently when there are more than 10 000', async () => {
    await gateway.query('contract', 'create table many as select generate_series(1, 10001) as n')
    const path = '/databases/contract/tables/many'
    expect(await gateway.call(`GET ${path}`)).toMatchObject({ status: 400, body: { code: 'too_many_rows' } })
    expect(await gateway.call(`GET ${path}?limit=10001`)).toMatchObject({ status: 400 })
    expect((await gateway.call(`GET ${path}?limit=10000`)).body['records']).toHaveLength(10_000)
  })

  it.each([
    ['GET', `${users}?order=nope`, undefined, 400],
    ['GET', `${users}?order=age;drop table users`, undefined, 400],
    ['GET', `${users}?select=age,*`, undefined, 400],
    ['GET', `${users}?limit=-1`, undefined, 400],
    ['GET', `${users}?limit=1&limit=2`, undefined, 400],
    ['GET', `${users}?after=x`, undefined, 400],
    ['GET', '/databases/contract/tables/pg_authid', undefined, 404],
    ['GET', '/databases/contract/tables/nope', undefined, 404],
    ['POST', users, { nope: 1 }, 400],
    ['POST', users, [], 400],
    ['POST', users, [{}, {}], 400],
    ['POST', users, 'text', 400],
    ['POST', `${users}?returning=nope`, { email: 'q@x' }, 400],
    ['POST', users, { email: 'x', age: 'abc' }, 400],
    ['POST', users, { email: 'a\0b' }, 400],
    ['PUT', users, { data: { age: 1 } }, 400],
    ['PUT', users, { data: {}, condition: 'id=1' }, 400],
    ['PUT', users, { data: { age: 1 }, condition: 'id=1', returning: '*' }, 400],
    ['PATCH', users, {}, 404],
  ])('%s %s %j is refused', async (method, path, body, status) => {
    await createUsers()
    const reply = await gateway.call(`${method} ${path.replaceAll(' ', '%20')}`, {
      body: typeof body === 'string' ? `"${body}"` : body,
    })
    expect(reply).toMatchObject({ status })
    expect((await gateway.call(`GET ${users}`)).body['records']).toEqual([])
  })
})

describe('SQL', () => {
  it('gives columns, types and rows, and the names the original clients read', async () => {
    const { body } = await gateway.query('contract', 'select $1::int as a, $2::text as b', {
      parameters: [1, 'x'],
    })
    expect(body).toEqual({
      columns: ['a', 'b'],
      types: [23, 25],
      rows: [[1, 'x']],
      rowCount: 1,
      affectedRows: 0,
      records: [{ a: 1, b: 'x' }],
      results: [{ a: 1, b: 'x' }],
      affected_rows: 0,
    })
  })

  it.each([
    ["'9007199254740991'::int8", 9007199254740991],
    ["'9007199254740993'::int8", '9007199254740993'],
    ["'12.30'::numeric", '12.30'],
    ["'NaN'::float8", 'NaN'],
    ["'-Infinity'::float8", '-Infinity'],
    ['1.5::float8', 1.5],
    ['true', true],
    ['null', null],
    [String.raw`'\x6869'::bytea`, 'aGk='],
    ["'2024-02-29'::date", '2024-02-29'],
    ["'2024-02-29 12:00:00.5'::timestamp", '2024-02-29 12:00:00.5'],
    ["'2024-02-29 12:00:00+02'::timestamptz at time zone 'utc'", '2024-02-29 10:00:00'],
    ["'1 day'::interval", '1 day'],
    [`'{"a":[1]}'::jsonb`, { a: [1] }],
    ["array['9007199254740993', null]::int8[]", ['9007199254740993', null]],
    [`array['a,"b', null]`, ['a,"b', null]],
    [
      'array[[1,2],[3,4]]',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ["array['2024-02-29']::date[]", ['2024-02-29']],
    [`array['{"a":1}'::jsonb]`, [{ a: 1 }]],
  ])('gives %s as %j', async (expression, value) => {
    expect((await gateway.query('contract', `select ${expression}`)).body['rows']).toEqual([[value]])
  })

  it('takes arrays, objects and integers of any size as parameters', async () => {
    const { body } = await gateway.query('contract', 'select 2 = any($1::int[]), $2::jsonb, $3::int8', {
      parameters: [[1, 2], { a: null }, '9007199254740993'],
    })
    expect(body['rows']).toEqual([[true, { a: null }, '9007199254740993']])
  })

  it('runs a batch as one transaction, and says which statement failed', async () => {
    await gateway.query('contract', 'create table if not exists batches (n int unique)')
    const insert = { query: 'insert into batches values ($1)', parameters: [1] }
    const path = 'POST /databases/contract/batch'
    const good = await gateway.call(path, { body: { statements: [insert, { query: 'select 2 as two' }] } })
    expect(good.body).toMatchObject([{ affectedRows: 1 }, { records: [{ two: 2 }] }])
    const bad = await gateway.call(path, {
      body: { statements: [{ query: 'delete from batches' }, insert, insert] },
    })
    expect(bad).toMatchObject({ status: 409, body: { sqlstate: '23505', details: { statement: 2 } } })
    expect((await gateway.query('contract', 'select n from batches')).body['rows']).toEqual([[1]])
  })

  it.each([
    'begin',
    'COMMIT',
    ' /* x */ rollback',
    '-- x\nstart transaction',
    ';end',
    'abort',
    'select 1; select 2',
    'select \0',
  ])('refuses %j', async (query) => {
    expect(await gateway.query('contract', query)).toMatchObject({ status: 400 })
  })

  it('rolls back what a disguised BEGIN leaves open', async () => {
    const reply = await gateway.query('contract', '/* /* */ */ begin')
    expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    await expect.poll(() => gateway.count("state like 'idle in transaction%'")).toBe(0)
  })

  it('leaves no settings behind for other calls', async () => {
    await gateway.query('contract', "set search_path to 'nowhere'")
    const replies = await Promise.all(
      Array.from({ length: 12 }, () => gateway.query('contract', 'show search_path')),
    )
    for (const { body } of replies) expect(body['rows']).toEqual([['"$user", public']])
  })

  it('names what was wrong, without values of parameters', async () => {
    const value = 'hunter2'
    for (const sql of ['select $1::int', 'select $1::date', 'select $1::jsonb']) {
      const { status, body } = await gateway.query('contract', sql, { parameters: [value] })
      expect(status).toBe(400)
      expect(JSON.stringify(body)).not.toContain(value)
      expect(body.sqlstate).toMatch(/^22/)
    }
  })

  it.each([
    [{ query: 1 }, 400],
    [{ query: 'select 1', parameters: {} }, 400],
    [{ query: 'select 1', params: [] }, 400],
    [{ query: 'select 1', parameters: [[[[[[[[1]]]]]]]] }, 400],
    [undefined, 400],
    ['{', 400],
    [`"${'x'.repeat(200_000)}"`, 413],
  ])('refuses the body %#', async (body, status) => {
    expect(await gateway.call('POST /databases/contract/query', { body })).toMatchObject({ status })
  })

  it('refuses bodies of another type', async () => {
    const init = { body: 'select 1', headers: { 'content-type': 'text/plain' } }
    expect(await gateway.call('POST /databases/contract/query', init)).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    })
  })

  it('is cancelled when the caller goes', async () => {
    const controller = new AbortController()
    const running = gateway.query('contract', 'select pg_sleep(600)', { signal: controller.signal })
    const isSleeping = "query like 'select pg_sleep%' and state = 'active'"
    await expect.poll(() => gateway.count(isSleeping)).toBe(1)
    controller.abort()
    await expect(running).rejects.toThrow()
    await expect.poll(() => gateway.count(isSleeping)).toBe(0)
  })
})
