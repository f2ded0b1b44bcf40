import { TestKitError } from './errors.ts'
import { prepareServices } from './prepare.ts'

/**
 * For vitest's `globalSetup`: makes every service ready once, before the first test file. Where one cannot be had, it
 * ends the run with what to do about it, and nothing else: a stack would bury that.
 */
export async function setup(): Promise<void> {
  try {
    await prepareServices()
  } catch (error) {
    if (!(error instanceof TestKitError)) throw error
    process.stderr.write(`\n${error.message}\n\n`)
    process.exit(1)
  }
}

/** Nothing is left to do at the end: each test process ends what it started. */
export function teardown(): void {}
