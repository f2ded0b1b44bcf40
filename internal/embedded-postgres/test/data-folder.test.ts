import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startPostgres } from '../src/index.ts'
import { freshDataDir, query } from './setup.ts'

async function initialise(dataDir: string): Promise<void> {
  await (await startPostgres({ dataDir, durability: 'none' })).stop()
}

describe('a data folder', () => {
  it('of somebody else is refused and left as it is', async () => {
    const dataDir = await freshDataDir()
    await mkdir(dataDir)
    await chmod(dataDir, 0o755)
    await writeFile(join(dataDir, 'thesis.txt'), 'years of work')
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: 'ERR_PG_DATA_DIR_FOREIGN',
      dataDir,
    })
    expect(await readdir(dataDir)).toEqual(['thesis.txt'])
    expect((await stat(dataDir)).mode & 0o777).toBe(0o755)
  })

  it('that is a file is refused', async () => {
    const dataDir = await freshDataDir()
    await writeFile(dataDir, '')
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({ code: 'ERR_PG_DATA_DIR_FOREIGN' })
  })

  it('that lost essential files, or is of another major version, is refused and left as it is', async () => {
    const dataDir = await freshDataDir()
    await initialise(dataDir)
    const before = await readdir(dataDir)
    await rename(join(dataDir, 'global'), join(dataDir, 'elsewhere'))
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({ code: 'ERR_PG_DATA_DIR_CORRUPT' })
    await rename(join(dataDir, 'elsewhere'), join(dataDir, 'global'))

    const made = Number(await readFile(join(dataDir, 'PG_VERSION'), 'utf8'))
    await writeFile(join(dataDir, 'PG_VERSION'), `${made - 1}\n`)
    const failure = startPostgres({ dataDir })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_PG_DATA_DIR_VERSION' })
    await expect(failure).rejects.toThrow(
      `was made by PostgreSQL ${made - 1}, and this is PostgreSQL ${made}`,
    )
    expect(await readdir(dataDir)).toEqual(before)
  })

  it('whose initialisation was interrupted is initialised again', async () => {
    const dataDir = await freshDataDir()
    await mkdir(join(dataDir, '.outrider-draft', 'base'), { recursive: true })
    await writeFile(join(dataDir, '.outrider-draft', 'PG_VERSION'), '18\n')
    const { url } = await startPostgres({ dataDir, durability: 'none' })
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await readdir(dataDir)).not.toContain('.outrider-draft')
  })

  it('whose initialisation was interrupted near its end is completed', async () => {
    const dataDir = await freshDataDir()
    await initialise(dataDir)
    const ready = join(dataDir, '.outrider-ready')
    await mkdir(ready)
    for (const name of ['.outrider-postgres.json', 'base', 'global', 'PG_VERSION']) {
      await rename(join(dataDir, name), join(ready, name))
    }
    const { url } = await startPostgres({ dataDir, durability: 'none' })
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await readdir(dataDir)).not.toContain('.outrider-ready')
  })

  it('that cannot be initialised says why and can be tried again', async () => {
    const dataDir = await freshDataDir()
    // PostgreSQL reserves names that begin so.
    const failure = startPostgres({ dataDir, durability: 'none', user: 'pg_keeper' })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_PG_INIT_FAILED' })
    await expect(failure).rejects.toThrow('superuser name "pg_keeper" is disallowed')
    await startPostgres({ dataDir, durability: 'none' })
  })
})
