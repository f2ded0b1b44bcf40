import { mkdir, stat } from 'node:fs/promises'
import { CheckFailure, run } from './command.mjs'

/** @import {Package} from './workspace.mjs' */

/** The size of each tarball has a ceiling, so that an accidental dependency or asset in a bundle is noticed. */
const MAX_PACKED_KIB = {
  'bulk-ops': 200,
  'command-kit': 160,
  'phantomdb-client': 160,
  relaycache: 320,
  'sqlite-worker': 480,
}
const DEFAULT_MAX_PACKED_KIB = 120

const REQUIRED = ['package.json', 'README.md', 'LICENSE', 'dist', 'src']
const ALLOWED = new Set([...REQUIRED, 'CHANGELOG.md', 'docs'])

/**
 * @typedef {object} Tarball
 * @property {string} file
 * @property {string[]} paths of the files in it
 */

/** Packs each package once, also when another package's project needs it as a peer. */
export class Packer {
  #folder
  /** @type {Map<string, Promise<Tarball>>} */
  #packed = new Map()

  /** @param {string} folder where the tarballs go */
  constructor(folder) {
    this.#folder = folder
  }

  /**
   * By pnpm, which resolves `catalog:` and `workspace:` and adds the repository's LICENSE, as when publishing.
   *
   * @param {Package} each
   * @returns {Promise<Tarball>}
   */
  pack(each) {
    const known = this.#packed.get(each.name)
    if (known) return known
    const packing = this.#pack(each)
    this.#packed.set(each.name, packing)
    return packing
  }

  /** @param {Package} each */
  async #pack({ folder }) {
    await mkdir(this.#folder, { recursive: true })
    const args = ['pack', '--json', '--pack-destination', this.#folder]
    const { filename, files } = JSON.parse(await run('pnpm', args, { cwd: folder }))
    return { file: filename, paths: files.map(({ path }) => path) }
  }
}

/** @param {Tarball} tarball */
export function checkContents({ paths }) {
  const tops = new Set(paths.map((path) => path.split('/')[0]))
  const missing = REQUIRED.filter((top) => !tops.has(top))
  const unexpected = [...tops].filter((top) => !ALLOWED.has(top))
  const problems = [
    ...missing.map((top) => `${top} is missing in the tarball`),
    ...unexpected.map((top) => `${top} does not belong in the tarball`),
  ]
  if (problems.length > 0) throw new CheckFailure(problems.join('\n'))
}

/**
 * @param {Package} each
 * @param {Tarball} tarball
 */
export async function checkSize({ folderName }, { file }) {
  const kib = (await stat(file)).size / 1024
  const ceiling = MAX_PACKED_KIB[folderName] ?? DEFAULT_MAX_PACKED_KIB
  if (kib > ceiling) {
    throw new CheckFailure(
      `${kib.toFixed(1)} KiB packed, at most ${ceiling} KiB (scripts/checks/tarball.mjs)`,
    )
  }
}
