import { CheckFailure, run } from './command.mjs'
import { specifier } from './workspace.mjs'

/**
 * @import {Package} from './workspace.mjs'
 *
 * @typedef {{names?: string[], error?: string}} Loaded
 */

/** Loading must leave nothing running that would keep the process alive. */
const LOAD_TIMEOUT_MS = 60_000

/**
 * Loads every entry in ESM and in CommonJS, in processes of their own.
 *
 * @param {Package} of
 * @param {string} folder the project
 * @param {string[]} absentPeers entries other than `.` may fail for the lack of one of these
 * @returns {Promise<Record<string, string[]>>} by entry that loaded, the names it exports
 * @throws {CheckFailure} when an entry does not load, or exports other names to ESM than to CommonJS
 */
export async function loadEntries(of, folder, absentPeers) {
  const specifiers = of.entries.map((entry) => specifier(of, entry))
  const [esm, cjs] = await Promise.all(
    ['load.mjs', 'load.cjs'].map((loader) => load([loader, ...specifiers], folder)),
  )
  const names = {}
  const problems = []
  for (const entry of of.entries) {
    const key = specifier(of, entry)
    const failures = [describeFailure('import', key, esm[key]), describeFailure('require', key, cjs[key])]
    if (failures.every((failure) => failure === undefined)) {
      names[entry] = esm[key].names
      const difference = symmetricDifference(esm[key].names, cjs[key].names)
      if (difference.length > 0)
        problems.push(`${key}: not in both ESM and CommonJS: ${difference.join(', ')}`)
    } else if (entry === '.' || !failures.every((failure) => lacksPeer(failure, absentPeers))) {
      problems.push(...failures.filter((failure) => failure !== undefined))
    }
  }
  if (problems.length > 0) throw new CheckFailure(problems.join('\n'))
  return names
}

/**
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<Record<string, Loaded>>}
 */
async function load(args, cwd) {
  const stdout = await run(process.execPath, args, { cwd, timeoutMs: LOAD_TIMEOUT_MS })
  const lines = stdout.trim().split('\n')
  if (lines.length > 1) throw new CheckFailure(`loading printed ${lines[0]}`)
  return JSON.parse(lines[0])
}

/**
 * @param {string} how
 * @param {string} key
 * @param {Loaded} loaded
 */
function describeFailure(how, key, { error }) {
  return error && `${how} ${key}: ${error.split('\n')[0]}`
}

/**
 * @param {string | undefined} failure
 * @param {string[]} peers
 */
function lacksPeer(failure, peers) {
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(failure ?? '')?.[1]
  return missing !== undefined && peers.some((peer) => missing === peer || missing.startsWith(`${peer}/`))
}

/**
 * @param {string[]} left
 * @param {string[]} right
 */
function symmetricDifference(left, right) {
  return [...left.filter((name) => !right.includes(name)), ...right.filter((name) => !left.includes(name))]
}
