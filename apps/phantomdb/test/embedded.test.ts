import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { stopPostgres } from '@outrider/embedded-postgres'
import { spawnChild, temporaryDirectory, type TemporaryDirectory, type TestChild } from '@outrider/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findServer, startPhantomDB, type ServerInfo } from '../src/index.ts'
import { call } from './fixture.ts'

let folder: TemporaryDirectory
let dataDir: string

beforeAll(async () => {
  folder = await temporaryDirectory()
  // PostgreSQL runs as another user when this is root, who must get through.
  await chmod(folder.path, 0o755)
  dataDir = join(folder.path, 'data')
})

afterAll(async () => {
  await stopPostgres(join(dataDir, 'postgres'))
  await folder.remove()
})

const cli = new URL('../src/cli.ts', import.meta.url)

function serve(...args: string[]): TestChild {
  return spawnChild(cli, {
    args: ['serve', '--data-dir', dataDir, '--port', '0', ...args],
    env: { DATABASE_URL: undefined },
  })
}

/** What `server.json` says once the child listens. */
async function served(child: TestChild): Promise<ServerInfo> {
  const ended = child.exited.then(({ stderr }) => {
    throw new Error(`The gateway ended: ${stderr}`)
  })
  const found = expect.poll(() => findServer(dataDir), { timeout: 15_000 }).toMatchObject({ pid: child.pid })
  await Promise.race([found, ended])
  const info = await findServer(dataDir)
  if (!info) throw new Error('The gateway is gone')
  return info
}

describe('the embedded engine', () => {
  it('keeps what was committed when the gateway is killed, and its PostgreSQL is adopted', async () => {
    const child = serve()
    const info = await served(child)
    expect((await stat(join(dataDir, 'server.json'))).mode & 0o777).toBe(0o600)
    const body = { query: "create table kept as select 'here' as word" }
    expect((await call(info.url, 'POST /databases/mine/query', { body })).status).toBe(200)
    child.kill()
    await child.exited

    expect(await findServer(dataDir)).toBeUndefined()
    await using server = await startPhantomDB({ dataDir, port: 0 })
    expect(server).toMatchObject({ engine: 'embedded', adopted: true, token: undefined })
    const { body: rows } = await call(server.url, 'GET /databases/mine/tables/kept')
    expect(rows['records']).toEqual([{ word: 'here' }])
    expect(await findServer(dataDir)).toMatchObject({ url: server.url, pid: process.pid })
  })

  it('serves a data folder once, and leaves the first gateway alone', async () => {
    await using server = await startPhantomDB({ dataDir, port: 0 })
    const again = { code: 'ERR_ALREADY_SERVED', url: server.url }
    await expect(startPhantomDB({ dataDir, port: 0 })).rejects.toMatchObject(again)
    const child = serve()
    expect(await child.exited).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(server.url) as string,
    })
    expect((await call(server.url, 'GET /ready')).status).toBe(200)
  })

  it('of two gateways that start at once, one serves', async () => {
    const starts = await Promise.allSettled([1, 2].map(() => startPhantomDB({ dataDir, port: 0 })))
    const [winner, ...others] = starts.filter((each) => each.status === 'fulfilled')
    expect(others).toEqual([])
    const loser = starts.find((each) => each.status === 'rejected')
    expect(loser?.reason).toMatchObject({ code: 'ERR_ALREADY_SERVED' })
    expect((await call(winner?.value.url ?? '', 'GET /ready')).status).toBe(200)
    await winner?.value.close()
  })

  it('can be left running for the next gateway', async () => {
    const first = await startPhantomDB({ dataDir, port: 0 })
    expect(first.adopted).toBe(false)
    await first.close({ keepPostgres: true })
    await using second = await startPhantomDB({ dataDir, port: 0 })
    expect(second.adopted).toBe(true)
  })

  it('lets PostgreSQL be when the port is taken, and says so', async () => {
    await using server = await startPhantomDB({ dataDir, port: 0 })
    const port = Number(new URL(server.url).port)
    const other = { url: 'postgres://nobody@127.0.0.1:1/none', port }
    await expect(startPhantomDB(other)).rejects.toMatchObject({ code: 'ERR_DATABASE_UNREACHABLE' })
    expect((await call(server.url, 'GET /ready')).status).toBe(200)
  })
})

describe('phantomdb', () => {
  it('requires the token it generated, and is stopped by another process', async () => {
    const child = serve('--auth')
    const { url, token } = await served(child)
    expect(await call(url, 'GET /databases')).toMatchObject({ status: 401 })
    const headers = { authorization: `Bearer ${token}` }
    expect(await call(url, 'GET /databases', { headers })).toMatchObject({ status: 200 })
    expect(child.stdout).not.toContain(token)

    const stop = spawnChild(cli, { args: ['stop', '--data-dir', dataDir] })
    expect(await stop.exited).toMatchObject({ code: 0, stdout: `Stopped ${url}\n` })
    expect(await child.exited).toMatchObject({ code: 0 })
    await expect(readFile(join(dataDir, 'server.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(readFile(join(dataDir, 'postgres', 'postmaster.pid'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })
})
