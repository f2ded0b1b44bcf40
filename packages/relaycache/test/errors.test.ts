import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as relaycache from '../src/index.ts'
import { isRelayCacheError, RelayCacheError, RelayCacheErrorCode } from '../src/index.ts'

const errors = [
  new relaycache.BackendError('read', { cause: 'why' }),
  new relaycache.DeadlineExceededError('read', 50),
  new relaycache.InvalidationUnconfirmedError('clear', [], { cause: 'why' }),
  new relaycache.ReplicasBehindError(2, 1),
  new relaycache.ResultTagsError('getBook', { cause: 'why' }),
  new relaycache.UnsupportedKeyError('a function'),
  new relaycache.UnsupportedValueError('a function'),
]

describe('errors', () => {
  it('carry each code once, and a name that is the name of their class', () => {
    expect(errors.map(({ code }) => code).toSorted()).toEqual(Object.values(RelayCacheErrorCode).toSorted())
    for (const error of errors) {
      expect(error.name).toBe(error.constructor.name)
      expect(error).toBeInstanceOf(RelayCacheError)
    }
    const classes = Object.keys(relaycache).filter((name) => name.endsWith('Error') && /^[A-Z]/.test(name))
    expect(classes.toSorted()).toEqual([...errors.map(({ name }) => name), 'RelayCacheError'].toSorted())
  })

  it('are all in the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const documented = [...readme.matchAll(/^\| `(RELAYCACHE_\w+)` +\|/gm)].map(([, code]) => String(code))
    expect(documented.toSorted()).toEqual(Object.values(RelayCacheErrorCode).toSorted())
  })

  it('are told by a brand that other copies of the package share', () => {
    for (const error of errors) expect(isRelayCacheError(error)).toBe(true)
    expect(isRelayCacheError({ [Symbol.for('@outrider/relaycache/error')]: true })).toBe(true)
    for (const other of [new Error('x'), null, undefined, 'RELAYCACHE', {}])
      expect(isRelayCacheError(other)).toBe(false)
  })
})
