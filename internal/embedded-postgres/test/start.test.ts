import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startPostgres, stopPostgres } from '../src/index.ts'
import { freshDataDir, query } from './setup.ts'

describe('startPostgres', () => {
  it('initialises a folder, and keeps the data over a stop and the next start', async () => {
    const dataDir = await freshDataDir()
    const first = await startPostgres({ dataDir })
    expect(first).toMatchObject({ adopted: false, user: 'postgres', password: undefined })
    expect(first.version).toMatch(/^\d+\.\d+/)
    expect(await query(first.url, `select current_setting('fsync') as fsync`)).toEqual([{ fsync: 'on' }])
    await query(first.url, 'create table notes as select 1 as id')
    await first.stop()
    await first.stop()

    const second = await startPostgres({ dataDir, durability: 'none', settings: { max_connections: '42' } })
    expect(second.adopted).toBe(false)
    expect(second.pid).not.toBe(first.pid)
    expect(await query(second.url, 'select * from notes')).toEqual([{ id: 1 }])
    expect(
      await query(
        second.url,
        `select current_setting('fsync') as fsync, current_setting('max_connections') as connections`,
      ),
    ).toEqual([{ fsync: 'off', connections: '42' }])
  })

  it('gives an address that pg and URL both understand, and text and time that are the same everywhere', async () => {
    const dataDir = await freshDataDir()
    const { url, host, port, user, socketDir } = await startPostgres({
      dataDir,
      durability: 'none',
      user: 'keeper',
    })
    expect(new URL(url).pathname).toBe('/postgres')
    expect(await query(url, 'select current_user as name')).toEqual([{ name: 'keeper' }])
    expect(await query({ host, port, user, database: 'postgres' }, 'select 1 as one')).toEqual([{ one: 1 }])
    // A private socket, and nothing else.
    expect(socketDir).toBe(dataDir)
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect(await query(url, `select current_setting('listen_addresses') as tcp`)).toEqual([{ tcp: '' }])
    const facts = await query(
      url,
      `select upper('é') as upper, current_setting('server_encoding') as encoding,
       current_setting('timezone') as zone, 'a' < 'B' as words`,
    )
    expect(facts).toEqual([{ upper: 'É', encoding: 'UTF8', zone: 'UTC', words: false }])
  })

  it('adopts a server that already runs; stopPostgres stops it, whoever started it', async () => {
    const dataDir = await freshDataDir()
    const first = await startPostgres({ dataDir, durability: 'none' })
    const second = await startPostgres({ dataDir, durability: 'none' })
    expect(second).toMatchObject({ adopted: true, pid: first.pid, url: first.url })
    await stopPostgres(dataDir)
    await expect(query(second.url, 'select 1')).rejects.toThrow()
    await stopPostgres(dataDir)
  })

  it('asks for a random password over TCP', async () => {
    const dataDir = await freshDataDir()
    const server = await startPostgres({ dataDir, durability: 'none', transport: 'tcp' })
    expect(server).toMatchObject({ host: '127.0.0.1', socketDir: undefined })
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
    const { host, port, user } = server
    const wrong = { host, port, user, database: 'postgres', password: 'guess' }
    await expect(query(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' })
    expect((await startPostgres({ dataDir })).password).toBe(server.password)
  })

  it('works where the path is too long for a socket', async () => {
    const dataDir = await freshDataDir('long-'.repeat(20))
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect(Buffer.byteLength(join(server.host, '.s.PGSQL.5432'))).toBeLessThan(104)
    expect((await stat(server.host)).mode & 0o777).toBe(0o700)
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()
    await expect(stat(server.host)).rejects.toThrow(/ENOENT/)
  })

  it('works where the path means something to a shell, and shows the server log when a start fails', async () => {
    const dataDir = await freshDataDir(`it's "$HOME" & \`more\`, really`)
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()

    const wrong = { dataDir, settings: { shared_buffers: 'plenty' } }
    const failure: unknown = await startPostgres(wrong).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'EmbeddedPostgresError', code: 'ERR_PG_START_FAILED', dataDir })
    expect(failure).toHaveProperty(
      'message',
      expect.stringContaining('invalid value for parameter "shared_buffers"'),
    )
    // Only what this start wrote.
    expect(failure).toHaveProperty('logTail', expect.not.stringContaining('database system is ready'))
    expect(await readFile(join(dataDir, 'server.log'), 'utf8')).toContain('database system is ready')
  })

  it.each([{ dataDir: '' }, { dataDir: 'x', startTimeoutMs: 0 }, { dataDir: 'x', user: 'a b' }])(
    'refuses the options %j',
    async (options) => {
      await expect(startPostgres(options)).rejects.toThrow(TypeError)
    },
  )
})
