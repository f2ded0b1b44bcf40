import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root, run } from './command.mjs'

/**
 * @typedef {object} Package
 * @property {string} folderName
 * @property {string} folder
 * @property {string} name with its scope
 * @property {any} manifest
 * @property {string[]} entries the subpaths of `exports` that hold code: `.`, `./redis`
 */

/** @returns {Promise<Package[]>} every package in packages/ that is not private */
export async function publishedPackages() {
  const packages = []
  for (const folderName of (await readdir(join(root, 'packages'))).toSorted()) {
    const folder = join(root, 'packages', folderName)
    if (!existsSync(join(folder, 'package.json'))) continue
    const manifest = await readJson(join(folder, 'package.json'))
    if (manifest.private) continue
    const entries = Object.keys(manifest.exports ?? {}).filter((entry) => !entry.endsWith('.json'))
    packages.push({ folderName, folder, name: manifest.name, manifest, entries })
  }
  return packages
}

/**
 * How a user names an entry.
 *
 * @param {Package} of
 * @param {string} entry
 * @returns {string}
 */
export function specifier({ name }, entry) {
  return name + entry.slice(1)
}

/**
 * The version of a dependency that the package is developed and tested with.
 *
 * @param {Package} of
 * @param {string} dependency
 * @returns {Promise<string | undefined>} undefined when the package does not depend on it in this repository
 */
export async function installedVersion({ folder }, dependency) {
  const file = join(folder, 'node_modules', dependency, 'package.json')
  return existsSync(file) ? (await readJson(file)).version : undefined
}

/** @returns {Promise<Record<string, boolean>>} the packages whose install scripts the repository approved */
export async function approvedBuilds() {
  const settings = JSON.parse(await run('pnpm', ['config', 'list', '--json'], { cwd: root }))
  return settings.allowBuilds ?? {}
}

/** @param {string} file */
export async function readJson(file) {
  return JSON.parse(await readFile(file, 'utf8'))
}
