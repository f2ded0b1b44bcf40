import { describe, it } from 'vitest'
import { backendContract, type CreateBackend } from '../src/testing/index.ts'

/** What every backend must do, as tests. */
export function describeBackend(name: string, create: CreateBackend): void {
  describe(name, () => {
    for (const contractCase of backendContract(create)) it(contractCase.name, contractCase.run)
  })
}
