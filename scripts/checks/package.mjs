import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CheckFailure } from './command.mjs'
import { compileConsumers, MODES, runConsumer, writeConsumers } from './consumer.mjs'
import { checkExportedNames } from './exported-names.mjs'
import { attw, publint } from './linters.mjs'
import { loadEntries } from './loading.mjs'
import { installProject, peersOf } from './project.mjs'
import { checkContents, checkSize } from './tarball.mjs'

/**
 * @import {Package} from './workspace.mjs'
 * @import {Packer} from './tarball.mjs'
 *
 * @typedef {object} Context
 * @property {string} folder for temporary files
 * @property {Packer} packer
 * @property {boolean} update
 * @property {string} [tsc]
 *
 * @typedef {(name: string, check: string, reason?: string) => void} Report
 */

/**
 * Runs every check of one package. A check that fails is reported; those that need its result are left out.
 *
 * @param {Package} of
 * @param {Context} context
 * @param {Report} report
 */
export async function checkPackage(of, context, report) {
  /**
   * @template T
   * @param {string} name
   * @param {() => T | Promise<T>} body
   * @returns {Promise<{value: T} | undefined>} undefined when it failed
   */
  const check = async (name, body) => {
    try {
      const value = await body()
      report(of.folderName, name)
      return { value }
    } catch (error) {
      report(of.folderName, name, error instanceof CheckFailure ? error.message : error.stack)
      return undefined
    }
  }

  if (!(await check('built', () => assertBuilt(of)))) return
  const packed = await check('packed', () => context.packer.pack(of))
  if (!packed) return
  const tarball = packed.value
  await check('contents', () => checkContents(tarball))
  await check('size', () => checkSize(of, tarball))
  await Promise.all([check('publint', () => publint(tarball)), check('attw', () => attw(tarball))])
  await checkInstalled(of, context, check)
}

/**
 * Two projects: without the optional peers, where `.` must work, and with them, where every entry must. They are
 * one when there are no optional peers.
 *
 * @param {Package} of
 * @param {Context} context
 * @param {(name: string, body: () => any) => Promise<{value: any} | undefined>} check
 */
async function checkInstalled(of, context, check) {
  const { required, optional } = peersOf(of)
  const { packer } = context
  const alone = join(context.folder, of.folderName, 'alone')
  const full = optional.length > 0 ? join(context.folder, of.folderName, 'with-peers') : alone
  const install = (folder, peers) => installProject(of, { folder, packer, peers })

  if (!(await check('installed alone', () => install(alone, required)))) return
  let loaded = await check('import and require', () => loadEntries(of, alone, optional))
  await checkUse({ folder: alone, entries: full === alone ? of.entries : ['.'], own: 'consumer' })
  if (full !== alone) {
    if (!(await check('installed with peers', () => install(full, [...required, ...optional])))) return
    loaded = await check('import and require with peers', () => loadEntries(of, full, []))
    await checkUse({ folder: full, entries: of.entries, own: 'consumer-with-peers', suffix: ' with peers' })
  }
  if (!loaded) return
  const { update } = context
  await check('exports', () => checkExportedNames(of, { folder: full, names: loaded.value, update }))

  async function checkUse({ folder, entries, own, suffix = '' }) {
    const hasOwn = await writeConsumers(of, { folder, entries, own })
    for (const mode of Object.keys(MODES)) {
      await check(`types ${mode}${suffix}`, () => compileConsumers(of, { folder, mode, tsc: context.tsc }))
    }
    if (!hasOwn) return
    await check(`consumer in ESM${suffix}`, () => runConsumer(folder, `${own}.js`))
    await check(`consumer in CommonJS${suffix}`, () => runConsumer(folder, `${own}.cjs`))
  }
}

/** @param {Package} of */
function assertBuilt({ folder, manifest }) {
  const main = manifest.main
  if (!existsSync(join(folder, main))) throw new CheckFailure(`${main} is missing: run \`pnpm build\` first`)
}
