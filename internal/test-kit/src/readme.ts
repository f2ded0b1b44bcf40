import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { temporaryDirectory } from './temporary-directory.ts'

/** A program of a README: what it printed, and what its comments say it prints. White space counts as one blank. */
export interface ReadmeProgram {
  readonly printed: string
  readonly promised: string
}

/**
 * Type-checks every TypeScript block of a package's README against the built package, and runs those marked as
 * programs (```` ```ts program ````), each in an empty folder.
 *
 * What a program promises to print are the comments behind its `console.log` calls, on the same line or on lines of
 * their own that follow.
 * @param packageFolder URL of the folder that holds the README, ending with `/`
 * @throws {Error} with the messages of the compiler, or the output of a program that fails
 */
export async function runReadme(packageFolder: URL): Promise<ReadmeProgram[]> {
  const folder = fileURLToPath(packageFolder)
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  // the programs lie within the package, so that they can import it by name
  await mkdir(join(folder, '.cache'), { recursive: true })
  const place = await mkdtemp(join(folder, '.cache', 'readme-'))
  try {
    const blocks = [...readme.matchAll(/^```ts( program)?\n([\s\S]*?)^```/gm)]
    const examples = await Promise.all(
      blocks.map(async ([, isProgram, source = ''], index) => {
        const file = join(place, `example-${index}.ts`)
        await writeFile(file, `${source}\nexport {}\n`)
        return { file, source, isProgram: isProgram !== undefined }
      }),
    )
    checkTypes(examples.map(({ file }) => file))
    const programs = examples.filter(({ isProgram }) => isProgram)
    return await Promise.all(
      programs.map(async ({ file, source }) => ({ printed: await run(file), promised: promiseOf(source) })),
    )
  } finally {
    await rm(place, { recursive: true })
  }
}

function checkTypes(files: string[]): void {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  }
  const program = ts.createProgram(files, options)
  const problems = ts.getPreEmitDiagnostics(program)
  if (problems.length === 0) return
  const host = { getCurrentDirectory: () => '/', getCanonicalFileName: String, getNewLine: () => '\n' }
  throw new Error(ts.formatDiagnostics(problems, host))
}

async function run(file: string): Promise<string> {
  const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const script = file.replace(/ts$/, 'mjs')
  await writeFile(script, outputText)
  const empty = await temporaryDirectory()
  const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: empty.path })
  await empty.remove()
  return oneBlank(stdout)
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
