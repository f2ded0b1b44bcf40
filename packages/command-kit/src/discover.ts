import { readdir } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { kebab } from './arguments.ts'
import { isCommandClass, type CommandClass } from './base-command.ts'
import { didYouMean } from '@outrider/options'
import { CommandError } from './errors.ts'
import { usage } from './values.ts'

/** A folder of commands: a path, or a `file:` URL such as `new URL('./commands/', import.meta.url)`. */
export type CommandFolder = string | URL

/**
 * The files of the commands, by name and in its order, without loading one. A file `import_books.js` and one
 * `import-books.js` are both `import-books`. Tests, types, `index` and names that begin with `_` or `.` are left out.
 * @throws {CommandError} when two files have one name, or a folder cannot be read
 */
export async function discoverCommands(folders: readonly CommandFolder[]): Promise<Map<string, string>> {
  const files = (await Promise.all(folders.map(commandFiles))).flat()
  const found = new Map<string, string>()
  for (const file of files) {
    const name = commandName(parse(file).name)
    const other = found.get(name)
    if (other !== undefined)
      throw new CommandError(`Two files are the command ${JSON.stringify(name)}: ${other} and ${file}`)
    found.set(name, file)
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

async function commandFiles(folder: CommandFolder): Promise<string[]> {
  const path = folder instanceof URL || folder.startsWith('file:') ? fileURLToPath(folder) : folder
  const names = await readdir(path).catch((cause: unknown) => {
    throw new CommandError(`Cannot read the folder of commands ${path}`, { cause })
  })
  return names
    .filter((name) => /^(?!index\.)[^._][^.]*\.[cm]?[jt]s$/.test(name))
    .toSorted()
    .map((name) => join(path, name))
}

/** The name of a command as the kit spells it, from `import_books`, `import-books` or `importBooks`. */
export function commandName(written: string): string {
  return kebab(written.charAt(0).toLowerCase() + written.slice(1)).replaceAll('_', '-')
}

/**
 * Loads the command of a name, and no other.
 * @throws {CommandError} when there is none, or its file does not export exactly one command
 */
export async function loadCommand(
  commands: ReadonlyMap<string, string>,
  written: string,
): Promise<CommandClass> {
  const file = commands.get(commandName(written))
  if (file === undefined)
    throw usage(
      `Unknown command ${JSON.stringify(written)}${didYouMean(commandName(written), [...commands.keys()])}`,
    )
  const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, unknown>
  // a CommonJS file has its exports in `default`
  const inner = typeof module['default'] === 'object' && module['default'] !== null ? module['default'] : {}
  const classes = new Set([...Object.values(module), ...Object.values(inner)].filter(isCommandClass))
  const [only, ...others] = classes
  if (only && others.length === 0) return only
  const names = [...classes].map((each) => each.name).join(', ')
  throw new CommandError(`Expected ${file} to export one command, found ${names === '' ? 'none' : names}`)
}
