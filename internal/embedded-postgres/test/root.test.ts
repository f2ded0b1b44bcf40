import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findPostgresBinaries, locateDataDir, startPostgres, stopPostgres } from '../src/index.ts'
import { canReach } from '../src/reach.ts'
import { findNobody, isRoot } from '../src/server-user.ts'
import { freshDataDir, query, startInChild } from './setup.ts'

const log: string[] = []
const logger = {
  info: (message: string) => void log.push(message),
  warn: (message: string) => void log.push(message),
}

describe.runIf(isRoot())('as root', () => {
  let home: string
  let stateDir: string
  beforeEach(async () => {
    log.length = 0
    const folder = await mkdtemp(join(tmpdir(), 'outrider-pgtest-'))
    await chmod(folder, 0o755)
    home = join(folder, 'home')
    stateDir = join(folder, 'state')
    await mkdir(home, { mode: 0o700 })
  })
  afterEach(() => rm(dirname(home), { recursive: true }))

  it('runs the server as nobody, who then owns the folder', async () => {
    const nobody = await findNobody()
    const dataDir = await freshDataDir()
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect((await stat(`/proc/${server.pid}`)).uid).toBe(nobody.uid)
    expect((await stat(dataDir)).uid).toBe(nobody.uid)
  })

  it('keeps the data elsewhere where nobody cannot reach it, and finds it again', async () => {
    const dataDir = join(home, 'app', 'data')
    const first = await startPostgres({ dataDir, stateDir, durability: 'none', logger })
    expect(first.dataDir).not.toBe(dataDir)
    expect(await locateDataDir(dataDir, { stateDir })).toBe(first.dataDir)
    expect(dirname(first.dataDir)).toBe(join(stateDir, 'data'))
    expect(log.join('\n')).toContain(`nobody cannot reach ${dataDir}: the data lives in ${first.dataDir}`)
    await query(first.url, 'create table notes as select 1 as id')
    await first.stop()

    // Also when the folder above is opened in between.
    await chmod(home, 0o755)
    const second = await startPostgres({ dataDir, stateDir, durability: 'none' })
    expect(second.dataDir).toBe(first.dataDir)
    expect(await query(second.url, 'select * from notes')).toEqual([{ id: 1 }])
    await stopPostgres(dataDir, { stateDir })
    await expect(query(second.url, 'select 1')).rejects.toThrow()
  })

  it('uses a copy of programs that nobody cannot reach, made once', async () => {
    const installed = await findPostgresBinaries()
    const prefix = join(home, 'postgresql')
    await cp(dirname(installed.binDir), prefix, { recursive: true, verbatimSymlinks: true })
    const dataDir = await freshDataDir()
    const binDir = join(prefix, 'bin')
    const server = await startPostgres({ dataDir, binDir, stateDir, durability: 'none', logger })
    expect(log.join('\n')).toContain(`cannot reach ${binDir}: its copy in ${stateDir}`)
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()

    const copies = await readdir(stateDir)
    expect(copies).toEqual([`postgresql-${installed.version}-${process.platform}-${process.arch}`])
    const made = await stat(join(stateDir, copies[0] ?? ''))
    await (await startPostgres({ dataDir, binDir, stateDir, durability: 'none' })).stop()
    expect((await stat(join(stateDir, copies[0] ?? ''))).ino).toBe(made.ino)
  })

  it('runs the server as the owner of a folder that belongs to somebody', async () => {
    const dataDir = await freshDataDir()
    const owner = { uid: 1, gid: 1 }
    await mkdir(dataDir)
    await chown(dataDir, owner.uid, owner.gid)
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect((await stat(`/proc/${server.pid}`)).uid).toBe(owner.uid)
  })

  it('runs the server as nobody where the owner of an empty folder has no name', async () => {
    const dataDir = await freshDataDir()
    await mkdir(dataDir)
    await chown(dataDir, 54_321, 54_321)
    const server = await startPostgres({ dataDir, durability: 'none' })
    expect((await stat(`/proc/${server.pid}`)).uid).toBe((await findNobody()).uid)
  })

  it('refuses a database that its user can no longer reach', async () => {
    await chmod(home, 0o755)
    const dataDir = join(home, 'data')
    await (await startPostgres({ dataDir, stateDir, durability: 'none' })).stop()
    await chmod(home, 0o700)
    await expect(startPostgres({ dataDir, stateDir })).rejects.toMatchObject({
      code: 'ERR_PG_DATA_DIR_UNREACHABLE',
    })
  })

  it('looks up the ids of nobody', async () => {
    const passwd = join(home, 'passwd')
    await writeFile(passwd, 'root:x:0:0::/root:/bin/sh\nnobody:x:99:98:Nobody:/:/sbin/nologin\n')
    expect(await findNobody(passwd)).toEqual({ name: 'nobody', uid: 99, gid: 98 })
    await writeFile(passwd, 'nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n')
    expect(await findNobody(passwd)).toMatchObject({ uid: 4_294_967_294 })
    expect(await findNobody(join(home, 'absent'))).toMatchObject({ name: 'nobody' })
  })

  it('lets an ordinary user start a server of its own', async () => {
    const nobody = await findNobody()
    // Nothing to try where an ordinary user cannot even read this checkout.
    if (!(await canReach(import.meta.dirname, nobody))) return
    const dataDir = await freshDataDir()
    await chmod(dirname(dataDir), 0o777)
    const { report } = await startInChild(dataDir, 'stay', nobody)
    expect(report).toMatchObject({ uid: nobody.uid, adopted: false })
    expect(basename(dataDir)).toBe('data')
    expect((await stat(dataDir)).uid).toBe(nobody.uid)
    // Root finds that server and may stop it.
    expect(await startPostgres({ dataDir })).toMatchObject({ adopted: true, pid: report.pid })
  })
})
