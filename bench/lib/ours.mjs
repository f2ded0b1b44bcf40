import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const benchFolder = fileURLToPath(new URL('..', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Imports the built code of one of our packages, as a user would get it: `ours('sqlite-worker')`,
 * `ours('relaycache/redis')`.
 *
 * @param {string} entry a package's folder name, with a subpath or without
 * @returns {Promise<any>} the module
 * @throws {Error} when the package or the entry does not exist, or is not built
 */
export async function ours(entry) {
  return import(oursUrl(entry))
}

/**
 * Where the built code of one of our packages is; for contenders that run in another process or thread.
 *
 * @param {string} entry as for {@link ours}
 * @returns {string} a file: URL
 * @throws {Error} as {@link ours}
 */
export function oursUrl(entry) {
  const [name, ...subpath] = entry.split('/')
  const folder = ['packages', 'apps'].map((each) => join(root, each, name)).find((each) => existsSync(each))
  if (!folder) throw new Error(`There is no package ${name} in packages/ or apps/`)
  const key = ['.', ...subpath].join('/')
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const target = exports?.[key]?.import?.default
  if (!target) throw new Error(`${name} does not export ${key}`)
  const file = join(folder, target)
  if (!existsSync(file))
    throw new Error(`${name} is not built (${target} is missing): run \`pnpm build\` first`)
  return pathToFileURL(file).href
}

/**
 * The installed version of a peer.
 *
 * @param {string} name of a dependency in bench/package.json, or in the package of ours given as `of`
 * @param {string} [of] the folder of one of our packages, to state what it runs on
 * @returns {string}
 */
export function versionOf(name, of) {
  const from = of ? join(root, 'packages', of, 'package.json') : join(benchFolder, 'package.json')
  // Found by its folder: many packages do not export their package.json.
  const folders = createRequire(from).resolve.paths(name) ?? []
  const manifest = folders.map((each) => join(each, name, 'package.json')).find((each) => existsSync(each))
  if (!manifest) throw new Error(`${name} is not installed for ${dirname(from)}`)
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}
