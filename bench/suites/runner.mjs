// Proves the runner itself: it reports a known 2x as 2x, whatever the unit, and would fail a floor of 3x.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineCase, defineSuite } from '../lib/suite.mjs'
import { work } from '../lib/work.mjs'

const once = { run: (operations) => work(operations) }
const twice = { run: (operations) => work(2 * operations) }
const onceLater = { run: async (operations) => work(operations) }
const twiceLater = { run: async (operations) => work(2 * operations) }

const twoFold = {
  peers: { 'twice the work': twice },
  floor: { 'twice the work': 1.8 },
  limits: [
    { metric: 'ratio: twice the work', op: '>=', value: 1.8, unit: 'x' },
    { metric: 'ratio: twice the work', op: '<=', value: 2.2, unit: 'x' },
  ],
}

export const suite = defineSuite({
  name: 'runner',
  cases: [
    defineCase({ id: 'rate', unit: 'op/s', ours: once, ...twoFold }),
    defineCase({ id: 'time', unit: 'µs', ours: once, ...twoFold }),
    defineCase({
      ...twoFold,
      id: 'asynchronous',
      unit: 'op/s',
      ours: onceLater,
      peers: { 'twice the work': twiceLater },
    }),
    defineCase({
      id: 'self-measured',
      unit: 'MiB',
      ours: { measure: () => 10 },
      peers: { 'twice the memory': { measure: () => 20 } },
      floor: { 'twice the memory': 2 },
      limits: [
        { metric: 'ratio: twice the memory', op: '==', value: 2, unit: 'x' },
        { metric: 'ours', op: '<=', value: 10, unit: 'MiB' },
      ],
    }),
    defineCase({
      id: 'missed-floor',
      unit: 'count',
      metrics: {
        '--check fails 2x against a floor of 3x': { measure: () => isMissed(['--check'], 1), times: 1 },
        'without --check it only reports': { measure: () => isMissed([], 0), times: 1 },
      },
      limits: [
        { metric: '--check fails 2x against a floor of 3x', op: '==', value: 1, unit: 'of 1' },
        { metric: 'without --check it only reports', op: '==', value: 1, unit: 'of 1' },
      ],
    }),
  ],
})

/**
 * Runs the hidden suite whose floor is out of reach, in a process of its own.
 *
 * @param {string[]} flags
 * @param {number} expectedCode
 * @returns {Promise<number>} 1 when it reported 2x, missed the floor and exited as expected, else 0
 */
async function isMissed(flags, expectedCode) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-runner-'))
  try {
    const json = join(folder, 'result.json')
    const run = fileURLToPath(new URL('../run.mjs', import.meta.url))
    const code = await exitCode([run, '_floor-of-three', '--no-install', '--json', json, ...flags])
    const [{ ok, error, ratios }] = JSON.parse(await readFile(json, 'utf8')).cases
    const ratio = ratios['twice the work']
    return code === expectedCode && !ok && error === undefined && ratio >= 1.8 && ratio <= 2.2 ? 1 : 0
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** @param {string[]} args */
function exitCode(args) {
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error) => resolve(error ? error.code : 0))
  })
}
