import { fail } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { computationCases } from './computation-cases.ts'
import type { ContractCase, CreateBackend, OpenCase } from './contract-case.ts'
import { expiryCases } from './expiry-cases.ts'
import { invalidationCases } from './invalidation-cases.ts'
import { refreshCases } from './refresh-cases.ts'
import { storeCases } from './store-cases.ts'
import { valueCases } from './value-cases.ts'

/** A backend that hands out what it should not may leave a case waiting for good. */
const LIMIT_MS = 10_000

/** What every group of cases begins with. */
const GROUPS: Readonly<Record<string, readonly OpenCase[]>> = {
  'as a store': storeCases,
  'as a store of values': valueCases,
  'under cache()': computationCases,
  'under refresh()': refreshCases,
  'when a value expires while it is refreshed': expiryCases,
  'when something is invalidated while a function runs': invalidationCases,
}

/**
 * What every backend must do, as cases for any test runner. Each makes a backend of its own, so they may run in any
 * order; one at a time, because one of them catches process warnings.
 *
 * @example
 * for (const { name, run } of backendContract(() => new MyBackend())) test(name, run)
 */
export function backendContract(create: CreateBackend): readonly ContractCase[] {
  return Object.entries(GROUPS).flatMap(([group, cases]) =>
    cases.map(([name, run]) => ({
      name: `${group}, ${name}`,
      run: () => withinLimit(async () => run(await create({}), create)),
    })),
  )
}

async function withinLimit(run: () => Promise<void>): Promise<void> {
  const end = new AbortController()
  const limit = sleep(LIMIT_MS, undefined, { signal: end.signal }).then(() =>
    fail(`Expected the case to end within ${LIMIT_MS} ms`),
  )
  try {
    await Promise.race([run(), limit])
  } finally {
    limit.catch(() => undefined)
    end.abort()
  }
}
