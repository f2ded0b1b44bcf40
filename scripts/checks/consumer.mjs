import { existsSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckFailure, root, run } from './command.mjs'
import { writeJson } from './project.mjs'
import { specifier } from './workspace.mjs'

/** @import {Package} from './workspace.mjs' */

/** How users compile: by name, the compiler options that differ. */
export const MODES = {
  node16: { module: 'node16' },
  nodenext: { module: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
}

const RUN_TIMEOUT_MS = 120_000

/**
 * Writes the programs that use the package, each as an ES module (`.ts`) and as CommonJS (`.cts`): one that
 * imports these entries, and one from the package's tests, when there is one.
 *
 * @param {Package} of
 * @param {object} options
 * @param {string} options.folder the project
 * @param {string[]} options.entries
 * @param {string} options.own the name of the file in `test`, without its extension
 * @returns {Promise<boolean>} whether the package has a consumer of its own
 */
export async function writeConsumers(of, { folder, entries, own }) {
  const imports = entries.map((entry, index) => `import * as entry${index} from '${specifier(of, entry)}'`)
  const uses = entries.map((_, index) => `void entry${index}`)
  const generated = `${[...imports, ...uses].join('\n')}\n`
  const source = join(of.folder, 'test', `${own}.ts`)
  const hasOwn = existsSync(source)
  await mkdir(join(folder, 'src'), { recursive: true })
  for (const extension of ['ts', 'cts']) {
    await writeFile(join(folder, 'src', `entries.${extension}`), generated)
    if (hasOwn) await copyFile(source, join(folder, 'src', `${own}.${extension}`))
  }
  return hasOwn
}

/**
 * Compiles the programs, strictly and with the library check on. Errors inside other packages' types are not
 * ours; those in the consumers and in the types of the package are.
 *
 * @param {Package} of
 * @param {{folder: string, mode: keyof typeof MODES, tsc?: string}} options
 * @throws {CheckFailure} with the compiler's errors
 */
export async function compileConsumers({ name }, { folder, mode, tsc = defaultTsc() }) {
  const config = `tsconfig.${mode}.json`
  await writeJson(join(folder, config), {
    compilerOptions: {
      ...MODES[mode],
      target: 'es2022',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      rootDir: 'src',
      outDir: `out/${mode}`,
    },
    include: ['src'],
  })
  const args = [tsc, '--project', config, '--pretty', 'false', '--noErrorTruncation']
  const output = await run(process.execPath, args, { cwd: folder }).catch((error) => {
    if (error.exitCode === null) throw error
    return error.stdout
  })
  const errors = output.split('\n').filter((line) => isOurs(line, name))
  if (errors.length > 0) throw new CheckFailure(errors.join('\n'))
}

/**
 * Runs a program of the package's tests, compiled.
 *
 * @param {string} folder the project, compiled in the mode nodenext
 * @param {string} file
 */
export async function runConsumer(folder, file) {
  const args = ['--unhandled-rejections=strict', `out/nodenext/${file}`]
  await run(process.execPath, args, { cwd: folder, timeoutMs: RUN_TIMEOUT_MS })
}

function defaultTsc() {
  return join(root, 'node_modules', 'typescript', 'bin', 'tsc')
}

/**
 * @param {string} line of the compiler's output
 * @param {string} name of the package
 */
function isOurs(line, name) {
  if (line.startsWith('error TS')) return true
  const file = /^(.+)\(\d+,\d+\): error TS/.exec(line)?.[1]
  return file !== undefined && (file.startsWith('src/') || file.includes(`/node_modules/${name}/`))
}
