import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { run } from '../lib/process.mjs'
import { counts } from '../lib/test.mjs'

const script = new URL('../run.mjs', import.meta.url).pathname

it('names the commands there are when it gets another', async () => {
  const failed = promisify(execFile)(process.execPath, [script, 'strat'])
  await expect(failed).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Expected one of start, test'),
  })
})

it('shows the whole output of a step that fails, and nothing of one that succeeds', async () => {
  const program = (exitCode) => [
    '-e',
    `console.log('line 1'); console.error('line 2'); process.exit(${exitCode})`,
  ]
  await run(process.execPath, program(0), { what: 'Trying' })
  const failed = await run(process.execPath, program(3), { what: 'Trying' }).catch((error) => error.message)
  for (const part of ['line 1', 'line 2', 'Trying failed']) expect(failed).toContain(part)
})

it('counts what passed, failed and was skipped', async () => {
  const report = await reportOf({ numPassedTests: 7, numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 })
  expect(counts(report, 1)).toEqual({ passed: 7, failed: 2, skipped: 2 })
})

it('counts a failure outside of any test as one, also when there is no report', async () => {
  const report = await reportOf({ numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 })
  expect(counts(report, 1)).toEqual({ passed: 7, failed: 1, skipped: 0 })
  expect(counts(`${report}-missing`, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

async function reportOf(result) {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-run-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'report.json'), JSON.stringify(result))
  return join(folder, 'report.json')
}
