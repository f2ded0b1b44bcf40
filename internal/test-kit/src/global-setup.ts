import { prepareServices } from './prepare.ts'

/** For vitest's `globalSetup`: makes every service ready once, before the first test file. */
export async function setup(): Promise<void> {
  await prepareServices()
}

/** Nothing is left to do at the end: each test process ends what it started. */
export function teardown(): void {}
