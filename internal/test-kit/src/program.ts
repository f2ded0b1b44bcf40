import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** A program ready to be started: its file, and the variables it needs besides the usual ones. */
export interface Program {
  readonly file: string
  readonly env: Readonly<Record<string, string>>
}

/** Finds the first of the named programs on PATH; undefined when none is there. */
export async function findOnPath(...names: readonly string[]): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const name of names) {
    for (const folder of folders) {
      const file = join(folder, name + suffix)
      if (await isExecutable(file)) return file
    }
  }
  return undefined
}

/** Tells whether a file is there and may be run. */
export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

const execute = promisify(execFile)

/** Tells whether a program starts and ends well when called with `args`, for example `--version`. */
export async function runsWell(program: Program, ...args: readonly string[]): Promise<boolean> {
  const env = { ...process.env, ...program.env }
  return execute(program.file, args, { env }).then(
    () => true,
    () => false,
  )
}
