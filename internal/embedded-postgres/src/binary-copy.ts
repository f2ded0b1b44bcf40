import { randomUUID } from 'node:crypto'
import { chmod, cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { executable, type PostgresBinaries } from './binaries.ts'
import { errorCode } from './file-errors.ts'

/** Tells whether programs bring all they need along in one folder, so that a copy of it works. */
export async function isCopyable(binaries: PostgresBinaries): Promise<boolean> {
  const catalog = join(dirname(binaries.binDir), 'share', 'postgresql', 'postgres.bki')
  return (await stat(catalog).catch(() => undefined)) !== undefined
}

/**
 * Copies PostgreSQL once for each version to a folder below `stateDir` that every user may read, and returns the
 * copy's `binDir`. Two processes at once both succeed.
 */
export async function copyBinaries(binaries: PostgresBinaries, stateDir: string): Promise<string> {
  const target = join(stateDir, `postgresql-${binaries.version}-${process.platform}-${process.arch}`)
  const binDir = join(target, 'bin')
  if (await stat(join(binDir, executable('pg_ctl'))).catch(() => undefined)) return binDir
  const draft = `${target}.${randomUUID()}`
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o755 })
    await cp(dirname(binaries.binDir), draft, { recursive: true, verbatimSymlinks: true })
    await openToAll(draft)
    await rename(draft, target)
  } catch (error) {
    // ENOTEMPTY: another process was faster, its copy is as good.
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return binDir
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}
