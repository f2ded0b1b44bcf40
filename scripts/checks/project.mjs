import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './command.mjs'
import { approvedBuilds, installedVersion, publishedPackages } from './workspace.mjs'

/**
 * @import {Package} from './workspace.mjs'
 * @import {Packer} from './tarball.mjs'
 *
 * @typedef {object} ProjectOptions
 * @property {string} folder a new one, outside the repository
 * @property {Packer} packer
 * @property {string[]} peers the peers to install
 */

/**
 * An empty project with the tarball as its only dependency (beside the types of Node).
 *
 * It is installed by pnpm rather than npm. The node_modules is strict, so a dependency that the package uses but
 * does not declare is not found; and pnpm's store keeps what an install script built, so better-sqlite3, which
 * compiles for a minute or more, comes in milliseconds from the same compile that the repository runs on, while
 * the install scripts still run where nothing was built yet. Direct dependencies are pinned to the versions the
 * repository is tested with: a newer one would have to be compiled, and would make the result depend on the day.
 *
 * @param {Package} of
 * @param {ProjectOptions} options
 */
export async function installProject(of, { folder, packer, peers }) {
  await mkdir(folder, { recursive: true })
  const { file } = await packer.pack(of)
  const dependencies = { [of.name]: `file:${file}`, '@types/node': await version(of, '@types/node', packer) }
  for (const peer of peers) dependencies[peer] = await version(of, peer, packer)
  const overrides = {}
  for (const dependency of Object.keys(of.manifest.dependencies ?? {})) {
    overrides[dependency] = await version(of, dependency, packer)
  }
  await writeJson(join(folder, 'package.json'), { private: true, type: 'module', dependencies })
  // JSON is YAML.
  const settings = { packages: [], allowBuilds: await approvedBuilds(), overrides, pmOnFail: 'ignore' }
  await writeJson(join(folder, 'pnpm-workspace.yaml'), settings)
  await run('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], { cwd: folder })
  for (const loader of ['load.mjs', 'load.cjs']) {
    await copyFile(fileURLToPath(new URL(loader, import.meta.url)), join(folder, loader))
  }
}

/** @param {Package} of */
export function peersOf({ manifest }) {
  const peers = Object.keys(manifest.peerDependencies ?? {})
  const optional = peers.filter((peer) => manifest.peerDependenciesMeta?.[peer]?.optional)
  return { required: peers.filter((peer) => !optional.includes(peer)), optional }
}

/**
 * @param {string} file
 * @param {unknown} value
 */
export async function writeJson(file, value) {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
}

/**
 * @param {Package} of
 * @param {string} dependency
 * @param {Packer} packer
 */
async function version(of, dependency, packer) {
  const sibling = (await publishedPackages()).find((each) => each.name === dependency)
  if (sibling) return `file:${(await packer.pack(sibling)).file}`
  const { dependencies, peerDependencies } = of.manifest
  return (
    (await installedVersion(of, dependency)) ?? peerDependencies?.[dependency] ?? dependencies?.[dependency]
  )
}
