// Checks every published package as its users will get it: packed, installed alone, loaded, compiled and run.
// Needs a build. Ends with a line `N passed, N failed`, and exits 1 when a check failed.
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkPackage } from './checks/package.mjs'
import { Packer } from './checks/tarball.mjs'
import { publishedPackages } from './checks/workspace.mjs'

/** @import {Package} from './checks/workspace.mjs' */

const HELP = `Usage: node scripts/check-packages.mjs [package names...] [options]

  --update    write packages/<name>/etc/exports.json instead of comparing with it
  --tsc FILE  compile the consumers with this tsc.js instead of the repository's TypeScript
  --keep      keep the folder with the tarballs and the projects
`

let passed = 0
let failed = 0

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    update: { type: 'boolean', default: false },
    tsc: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) console.log(HELP)
else await main()

async function main() {
  const packages = await chosen(positionals)
  // The real path: on some systems the temporary folder is a link, and tools report what it leads to.
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'check-packages-')))
  try {
    const context = { folder, packer: new Packer(join(folder, 'tarballs')), ...options }
    await inTurn(packages, async (each) => {
      // Nothing that happens to one package may stop the others.
      await checkPackage(each, context, report).catch((error) =>
        report(each.folderName, 'checked', error.stack),
      )
    })
  } finally {
    if (options.keep) console.log(`Kept ${folder}`)
    else await rm(folder, { recursive: true })
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}

/**
 * @param {string} name of a package
 * @param {string} check
 * @param {string} [reason] why it failed; its first line goes on the line of the check
 */
function report(name, check, reason) {
  if (reason === undefined) {
    passed += 1
    console.log(`ok  ${name}  ${check}`)
    return
  }
  failed += 1
  // pnpm's virtual store makes paths unreadable, and its links make the short ones true.
  const short = reason.trim().replaceAll(/\.pnpm\/[^/\s]+\/node_modules\//g, '')
  console.log(`FAIL  ${name}  ${check}: ${short.replaceAll('\n', '\n      ')}`)
}

/** @param {string[]} names */
async function chosen(names) {
  const packages = await publishedPackages()
  for (const name of names) {
    if (!packages.some((each) => each.folderName === name))
      report(name, 'found', 'no such package in packages/')
  }
  return names.length === 0 ? packages : packages.filter((each) => names.includes(each.folderName))
}

/**
 * As many at once as there are processors.
 *
 * @param {Package[]} packages
 * @param {(each: Package) => Promise<void>} check
 */
async function inTurn(packages, check) {
  const waiting = [...packages]
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await check(next)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, lane))
}
