import { describe, expect, it } from 'vitest'
import * as bulkOps from '../src/index.ts'
import { errorCodes, isBulkOpsError } from '../src/index.ts'

const bulkFacts = { table: 't', chunk: 0, rowIndex: 1, row: {}, committedChunks: 0 }
const errors = [
  new bulkOps.AtomicityError('Driver'),
  new bulkOps.BulkError(bulkFacts, new Error('why')),
  new bulkOps.CycleError(['a', 'b', 'a'], ['a(b_id)', 'b(a_id)']),
  new bulkOps.InvalidOptionError('what'),
  new bulkOps.UnresolvedRefError({ table: 't', column: 'c', rowIndex: 0 }, 'is nowhere'),
  new bulkOps.UnsupportedError('what'),
]

describe('errors', () => {
  it('carry each code once, and a name that is the name of their class', () => {
    expect(errors.map(({ code }) => code).toSorted()).toEqual([...errorCodes].toSorted())
    for (const error of errors) expect(error.name).toBe(error.constructor.name)
    const classes = Object.keys(bulkOps).filter((name) => /^[A-Z]\w+Error$/.test(name))
    expect(classes.toSorted()).toEqual([...errors.map(({ name }) => name), 'BulkOpsError'].toSorted())
  })

  it('are told by a brand that other copies of the package share', () => {
    for (const error of errors) expect(isBulkOpsError(error)).toBe(true)
    expect(isBulkOpsError({ [Symbol.for('@outrider/bulk-ops/error')]: true })).toBe(true)
    for (const other of [new Error('x'), null, undefined, 'ERR_BULK', {}])
      expect(isBulkOpsError(other)).toBe(false)
  })
})
