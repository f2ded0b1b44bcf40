import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { temporaryDirectory } from './temporary-directory.ts'

/** A program of a README: what it printed, and what its comments say it prints. White space counts as one blank. */
export interface ReadmeProgram {
  readonly printed: string
  readonly promised: string
}

/**
 * Runs every TypeScript block of a package's README against the built package, each in an empty folder.
 *
 * What a program promises to print are the comments behind its `console.log` calls, on the same line or on lines of
 * their own that follow.
 * @param packageFolder URL of the folder that holds the README, ending with `/`
 * @throws when a program ends with an error; the error has its output
 */
export async function runReadme(packageFolder: URL): Promise<ReadmeProgram[]> {
  const folder = fileURLToPath(packageFolder)
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, source = '']) => source)
  return Promise.all(
    programs.map(async (source) => ({ printed: await run(source, folder), promised: promiseOf(source) })),
  )
}

/** The program lies within the package, so that it can import it by name, and runs elsewhere. */
async function run(source: string, packageFolder: string): Promise<string> {
  const cache = join(packageFolder, '.cache')
  await mkdir(cache, { recursive: true })
  const place = await mkdtemp(join(cache, 'readme-'))
  const empty = await temporaryDirectory()
  try {
    const file = join(place, 'program.mjs')
    const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' })
    await writeFile(file, code)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: empty.path })
    return oneBlank(stdout)
  } finally {
    await rm(place, { recursive: true })
    await empty.remove()
  }
}

function promiseOf(source: string): string {
  const promised: string[] = []
  let isBehindLog = false
  for (const line of source.split('\n')) {
    const [, code = '', comment] = /^(.*?)(?:\/\/ (.*))?$/.exec(line) ?? []
    if (/[^\s{}()[\],;]/.test(code)) isBehindLog = code.includes('console.log(')
    if (isBehindLog && comment !== undefined) promised.push(comment)
  }
  return oneBlank(promised.join('\n'))
}

function oneBlank(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
