import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { foreground, join, root } from './process.mjs'

const program = join(root, 'node_modules', 'vitest', 'vitest.mjs')

/** Runs vitest over all packages; ends with the line `N passed, N failed`. Resolves to the exit code. */
export async function test(args, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-test-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const workers = `--maxWorkers=${availableParallelism()}` // by default one less, but most tests wait for services
  const exitCode = await foreground([program, 'run', ...reporters, workers, ...args], env)
  const { passed, failed, skipped } = counts(report, exitCode)
  rmSync(folder, { recursive: true })
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return failed > 0 ? 1 : 0
}

/** A failure outside of any test, such as a file that cannot be imported, counts as one. */
export function counts(report, exitCode) {
  let result = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  try {
    result = JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    // vitest ended before it could write; its exit code counts
  }
  const failed = result.numFailedTests
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  }
}
