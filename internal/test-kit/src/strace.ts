import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aptFolder, hasApt, libraryPath } from './apt.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findOnPath, runsWell, type Program } from './program.ts'

/**
 * Finds strace, which writes down the system calls of a program: on PATH, else (Debian, Ubuntu) the distribution's
 * package fetched into the cache. There is none but for Linux.
 * @throws {TestKitError} ERR_SERVICE_MISSING naming what to do when there is none, or when it may not trace here
 */
export async function findStrace(): Promise<Program> {
  if (process.platform !== 'linux') throw missing('there is none for this system')
  const file = await findOnPath('strace')
  const program = file === undefined ? await straceFromApt() : { file, env: {} }
  if (await traces(program)) return program
  throw missing(`${program.file} cannot trace here (containers may need --cap-add=SYS_PTRACE)`)
}

async function straceFromApt(): Promise<Program> {
  if (!(await hasApt())) throw missing('there is no strace on PATH')
  try {
    const folder = await aptFolder(['strace'], async (path) => runsWell(await programIn(path), '-V'))
    return await programIn(folder)
  } catch (error) {
    throw missing(`there is no strace on PATH, and ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function programIn(folder: string): Promise<Program> {
  return { file: join(folder, 'usr/bin/strace'), env: { LD_LIBRARY_PATH: await libraryPath(folder) } }
}

async function traces(program: Program): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-strace-'))
  try {
    return await runsWell(program, '-f', '-o', join(folder, 'log'), process.execPath, '--version')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function missing(reason: string): TestKitError {
  return new TestKitError(
    TEST_KIT_ERROR_CODES.serviceMissing,
    `These tests need strace, but ${reason}. Do one of these:
  - install it with your package manager (apt-get install strace, dnf install strace, ...)
  - do without: SKIP_SERVICES=strace`,
  )
}
