import { beforeEach, describe, expect, it } from 'vitest'
import { useGateway } from './fixture.ts'

const gateway = useGateway({ maxConnections: 2, maxTransactions: 4, acquireTimeoutMs: 5000 })

const counter = async (): Promise<unknown> =>
  ((await gateway.query('tx', 'select n from counters')).body['rows'] as unknown[][])[0]?.[0]

const add = (transaction?: string) =>
  gateway.query('tx', 'update counters set n = n + 1', transaction === undefined ? {} : { transaction })

beforeEach(async () => {
  await gateway.query('tx', 'create table if not exists counters (id int primary key, n int not null)')
  await gateway.query('tx', 'insert into counters values (1, 0) on conflict (id) do update set n = 0')
})

describe('a transaction', () => {
  it('is seen by others only once committed, and committing again says the same', async () => {
    const id = await gateway.begin({ database: 'tx' })
    await add(id)
    expect(await counter()).toBe(0)
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject({ status: 200 })
    expect(await counter()).toBe(1)
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject({ status: 200 })
    expect(await gateway.call(`POST /transactions/${id}/rollback`)).toMatchObject({
      status: 409,
      body: { code: 'transaction_ended' },
    })
    expect(await add(id)).toMatchObject({ status: 409, body: { code: 'transaction_ended' } })
  })

  it('is undone by a rollback, which may be repeated', async () => {
    const id = await gateway.begin({ database: 'tx' })
    await add(id)
    expect(await gateway.call(`POST /transactions/${id}/rollback`)).toMatchObject({ status: 200 })
    expect(await gateway.call(`POST /transactions/${id}/rollback`)).toMatchObject({ status: 200 })
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject({ status: 409 })
    expect(await counter()).toBe(0)
  })

  it('is bound to a database by its first call', async () => {
    const id = await gateway.begin({})
    await add(id)
    const elsewhere = await gateway.query('other', 'select 1', { transaction: id })
    expect(elsewhere).toMatchObject({ status: 409, body: { code: 'wrong_database' } })
    await gateway.call(`POST /transactions/${id}/commit`)
    expect(await counter()).toBe(1)
  })

  it('commits although it did nothing', async () => {
    const id = await gateway.begin({})
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject({ status: 200 })
  })

  it('takes row calls, batches and table calls too', async () => {
    const id = await gateway.begin({ database: 'tx' })
    const columns = [{ name: 'id', type: 'INTEGER', primaryKey: true }]
    await gateway.call('POST /databases/tx/tables', { transaction: id, body: { name: 'short', columns } })
    await gateway.call('POST /databases/tx/tables/short', { transaction: id, body: {} })
    const statements = [{ query: 'insert into short values (9)' }]
    await gateway.call('POST /databases/tx/batch', { transaction: id, body: { statements } })
    const rows = await gateway.call('GET /databases/tx/tables/short?order=id', { transaction: id })
    expect(rows.body['records']).toEqual([{ id: 1 }, { id: 9 }])
    await gateway.call(`POST /transactions/${id}/rollback`)
    expect(await gateway.call('GET /databases/tx/tables/short')).toMatchObject({ status: 404 })
  })

  it('runs calls made at the same time one after another', async () => {
    const id = await gateway.begin({ database: 'tx' })
    const numbers = Array.from({ length: 20 }, (_, index) => index)
    const replies = await Promise.all([
      ...numbers.map((n) =>
        gateway.query('tx', 'update counters set n = n + $1 returning n', {
          parameters: [n],
          transaction: id,
        }),
      ),
      gateway.query('tx', 'savepoint a', { transaction: id }),
    ])
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    await gateway.call(`POST /transactions/${id}/commit`)
    expect(await counter()).toBe(190)
  })

  it('that had a failure says so when it is committed', async () => {
    const id = await gateway.begin({ database: 'tx' })
    await add(id)
    expect(await gateway.query('tx', 'select 1/0', { transaction: id })).toMatchObject({ status: 400 })
    expect(await add(id)).toMatchObject({ status: 409, body: { sqlstate: '25P02' } })
    const aborted = { status: 409, body: { code: 'transaction_aborted', sqlstate: '25P02' } }
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject(aborted)
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject(aborted)
    expect(await counter()).toBe(0)
  })

  it('whose COMMIT fails is rolled back', async () => {
    await gateway.query('tx', 'create table if not exists late (n int unique deferrable initially deferred)')
    const id = await gateway.begin({ database: 'tx' })
    await gateway.query('tx', 'insert into late values (1), (1)', { transaction: id })
    const commit = { status: 409, body: { sqlstate: '23505' } }
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject(commit)
    expect(await gateway.call(`POST /transactions/${id}/rollback`)).toMatchObject({ status: 200 })
  })

  it('has the isolation and the access mode asked for', async () => {
    const [first, second] = await Promise.all([
      gateway.begin({ database: 'tx', isolationLevel: 'serializable' }),
      gateway.begin({ database: 'tx', isolationLevel: 'serializable' }),
    ])
    for (const id of [first, second]) await gateway.query('tx', 'select n from counters', { transaction: id })
    await add(first)
    await gateway.call(`POST /transactions/${first}/commit`)
    expect(await add(second)).toMatchObject({ status: 409, body: { sqlstate: '40001', retryable: true } })
    await gateway.call(`POST /transactions/${second}/rollback`)

    const reader = await gateway.begin({ database: 'tx', accessMode: 'read only' })
    expect(await add(reader)).toMatchObject({ status: 400, body: { sqlstate: '25006' } })
    await gateway.call(`POST /transactions/${reader}/rollback`)
  })

  it('expires when it is idle for too long, and frees its locks', async () => {
    const id = await gateway.begin({ database: 'tx', timeoutMs: 50 })
    await add(id)
    await expect.poll(() => gateway.count("state like 'idle in transaction%'")).toBe(0)
    const expired = { status: 410, body: { code: 'transaction_expired' } }
    expect(await add(id)).toMatchObject(expired)
    expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject(expired)
    expect(await gateway.call(`POST /transactions/${id}/rollback`)).toMatchObject({ status: 200 })
    expect(await counter()).toBe(0)
  })

  it('does not expire while a statement runs', async () => {
    const id = await gateway.begin({ database: 'tx', timeoutMs: 20 })
    expect(await gateway.query('tx', 'select pg_sleep(0.2)', { transaction: id })).toMatchObject({
      status: 200,
    })
    await gateway.call(`POST /transactions/${id}/rollback`)
  })

  it('cannot be ended by SQL', async () => {
    const id = await gateway.begin({ database: 'tx' })
    await add(id)
    expect(await gateway.query('tx', 'commit', { transaction: id })).toMatchObject({ status: 400 })
    const disguised = await gateway.query('tx', '/* /* */ */ rollback', { transaction: id })
    expect(disguised).toMatchObject({ status: 409, body: { code: 'transaction_ended' } })
    expect(await counter()).toBe(0)
  })

  it('ends when its connection breaks, and says that it is gone', async () => {
    const id = await gateway.begin({ database: 'tx' })
    await add(id)
    await gateway.query(
      'tx',
      "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'",
    )
    await expect.poll(() => gateway.count("state like 'idle in transaction%'")).toBe(0)
    expect((await add(id)).status).toBe(503)
    expect((await gateway.call(`POST /transactions/${id}/commit`)).status).not.toBe(200)
    expect(await counter()).toBe(0)
  })

  it('is unknown under any other id', async () => {
    for (const request of ['/commit', '/rollback']) {
      expect(await gateway.call(`POST /transactions/nope${request}`)).toMatchObject({ status: 404 })
    }
    expect(await add('nope')).toMatchObject({ status: 404, body: { code: 'transaction_not_found' } })
  })

  it.each([
    { isolationLevel: 'chaos' },
    { timeoutMs: 0 },
    { accessMode: 'read only; drop' },
    { deferable: true },
  ])('is not begun with %j', async (settings) => {
    expect(await gateway.call('POST /transactions', { body: settings })).toMatchObject({ status: 400 })
  })
})

it('commits although calls that wait for its locks fill every other connection', async () => {
  const id = await gateway.begin({ database: 'tx' })
  await add(id)
  const waiters = Array.from({ length: 8 }, () => add())
  await expect.poll(() => gateway.count("wait_event_type = 'Lock'")).toBe(2)
  expect(await gateway.call(`POST /transactions/${id}/commit`)).toMatchObject({ status: 200 })
  for (const { status } of await Promise.all(waiters)) expect(status).toBe(200)
  expect(await counter()).toBe(9)
})

it('frees the row locks of a caller that goes while its statement runs', async () => {
  const holder = await gateway.begin({ database: 'tx' })
  await add(holder)
  const waiting = await gateway.begin({ database: 'tx' })
  const controller = new AbortController()
  const blocked = gateway.query('tx', 'update counters set n = 7', {
    transaction: waiting,
    signal: controller.signal,
  })
  await expect.poll(() => gateway.count("wait_event_type = 'Lock'")).toBe(1)
  controller.abort()
  await expect(blocked).rejects.toThrow()
  await expect.poll(() => gateway.count("wait_event_type = 'Lock'")).toBe(0)
  await gateway.call(`POST /transactions/${holder}/commit`)
  expect(await gateway.call(`POST /transactions/${waiting}/commit`)).toMatchObject({ status: 409 })
  expect(await counter()).toBe(1)
})
