import { readdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { installPeers } from './lib/install.mjs'
import { caseText, markdown } from './lib/report.mjs'
import { runSuite } from './lib/run-suite.mjs'
import { MIN_PAIRS } from './lib/statistics.mjs'

/** @import {Suite} from './lib/suite.mjs' */

const HELP = `Usage: pnpm bench <suite> [options]

Runs one suite of bench/suites: ours, the peers and the limit, interleaved round by round.

  --check        exit 1 when a floor or a limit is missed
  --json FILE    write the result as JSON
  --markdown     print one Markdown table at the end
  --case ID      run only this case (may be repeated)
  --pairs N      rounds of every case, at least ${MIN_PAIRS}, instead of its own number
  --seed N       repeat the order of another run
  --no-install   do not install the peers; for suites that need none
  --help
`

const suitesFolder = new URL('suites/', import.meta.url)

/** A mistake in the command line: one line, exit 2. */
class UsageError extends Error {
  name = 'UsageError'
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const usage = error instanceof UsageError || error?.code?.startsWith?.('ERR_PARSE_ARGS')
  console.error(usage ? error.message : error)
  process.exitCode = usage ? 2 : 1
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
async function main(args) {
  const options = parse(args)
  if (options.help) {
    console.log(HELP)
    return 0
  }
  const file = suiteFile(options.suite)
  if (options.install) await installPeers(console.log)
  /** @type {{suite: Suite}} */
  const { suite } = await import(file)
  checkCases(suite, options.ids)
  const result = await run(suite, options)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
  if (options.markdown) console.log(markdown(result))
  const failed = result.cases.filter((each) => !each.ok).map((each) => each.id)
  if (failed.length > 0) console.log(`Not ok: ${failed.join(', ')}`)
  // A case that threw measured nothing: that is a failure with and without --check.
  const threw = result.cases.some((each) => each.error)
  return threw || (options.check && failed.length > 0) ? 1 : 0
}

/**
 * @param {Suite} suite
 * @param {ReturnType<typeof parse>} options
 */
function run(suite, { seed, pairs, ids }) {
  console.log(`${suite.name}, Node ${process.version}, seed ${seed}\n`)
  const progress = process.stderr.isTTY ? (text) => process.stderr.write(`\r\x1b[K${text}`) : () => {}
  return runSuite(suite, {
    seed,
    pairs,
    ids,
    onRound: (id, done, all) => progress(`${id} ${done}/${all}`),
    onCase: (result) => {
      progress('')
      console.log(caseText(result))
    },
  })
}

/** @param {string[]} args */
function parse(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      check: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true },
      pairs: { type: 'string' },
      seed: { type: 'string' },
      'no-install': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const pairs = values.pairs === undefined ? undefined : Number(values.pairs)
  if (pairs !== undefined && !(Number.isInteger(pairs) && pairs >= MIN_PAIRS)) {
    throw new UsageError(`Expected --pairs to be an integer >= ${MIN_PAIRS}, got ${values.pairs}`)
  }
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed)
  if (!Number.isInteger(seed)) throw new UsageError(`Expected --seed to be an integer, got ${values.seed}`)
  if (!values.help && positionals.length !== 1) {
    throw new UsageError(`Expected one suite, got ${positionals.length}. Known: ${knownSuites().join(', ')}`)
  }
  return { ...values, suite: positionals[0], ids: values.case, install: !values['no-install'], pairs, seed }
}

/**
 * @param {string} name
 * @returns {string} its URL
 */
function suiteFile(name) {
  const files = readdirSync(suitesFolder)
  if (files.includes(`${name}.mjs`)) return new URL(`${name}.mjs`, suitesFolder).href
  throw new UsageError(`Unknown suite ${name}. Known: ${knownSuites().join(', ')}`)
}

/** A leading underscore hides a suite from the list: those are run by other suites. */
function knownSuites() {
  return readdirSync(suitesFolder)
    .filter((file) => file.endsWith('.mjs') && !file.startsWith('_'))
    .map((file) => file.slice(0, -'.mjs'.length))
}

/**
 * @param {Suite} suite
 * @param {string[] | undefined} ids
 */
function checkCases(suite, ids = []) {
  const known = suite.cases.map((each) => each.id)
  const unknown = ids.find((id) => !known.includes(id))
  if (unknown === undefined) return
  throw new UsageError(`Unknown case ${unknown} of suite ${suite.name}. Known: ${known.join(', ')}`)
}
