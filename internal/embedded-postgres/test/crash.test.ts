import { chown, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { startPostgres } from '../src/index.ts'
import { isProcessAlive } from '../src/process.ts'
import { freshDataDir, query, startInChild } from './setup.ts'

describe('after a crash', () => {
  it('adopts the server of a killed process', async () => {
    const dataDir = await freshDataDir()
    const { report } = await startInChild(dataDir, 'die')
    expect(report.adopted).toBe(false)
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect(server).toMatchObject({ adopted: true, pid: report.pid })
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('starts a killed server again at once, with what was committed', async () => {
    const dataDir = await freshDataDir()
    let server = await startPostgres({ dataDir })
    await query(server.url, 'create table rounds (n int)')
    for (const round of [1, 2, 3]) {
      await query(server.url, `insert into rounds values (${round})`)
      const { pid } = server
      process.kill(pid, 'SIGKILL')
      await vi.waitFor(() => expect(isProcessAlive(pid)).toBe(false)) // a busy system may take a moment
      server = await startPostgres({ dataDir })
      expect(server.adopted).toBe(false)
      expect(server.pid).not.toBe(pid)
      expect(await query(server.url, 'select count(*)::int as n from rounds')).toEqual([{ n: round }])
    }
  })

  it('is not misled by a process id in use again', async () => {
    const dataDir = await freshDataDir()
    const first = await startPostgres({ dataDir, durability: 'none' })
    const pidFile = join(dataDir, 'postmaster.pid')
    const text = await readFile(pidFile, 'utf8')
    await first.stop()
    // The parent of this process lives.
    await writeFile(pidFile, text.replace(/^\d+/, String(process.ppid)), { mode: 0o600 })
    const owner = await stat(dataDir)
    await chown(pidFile, owner.uid, owner.gid)
    const second = await startPostgres({ dataDir, durability: 'none' })
    expect(second.adopted).toBe(false)
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('starts one server when several processes want it at once', async () => {
    const dataDir = await freshDataDir()
    const children = await Promise.all([1, 2].map(() => startInChild(dataDir, 'stay')))
    const reports = children.map(({ report }) => report)
    expect(reports.filter(({ adopted }) => !adopted)).toHaveLength(1)
    expect(new Set(reports.map(({ pid }) => pid)).size).toBe(1)
  })

  it('starts one server when one process wants it twice at once', async () => {
    const dataDir = await freshDataDir()
    const servers = await Promise.all([1, 2].map(() => startPostgres({ dataDir, durability: 'none' })))
    expect(servers.filter(({ adopted }) => adopted)).toHaveLength(1)
  })
})
