import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { errorCodes } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('documents exactly the error codes there are', () => {
  const documented = [...readme.matchAll(/^\| `(ERR_\w+)` \|/gm)].map(([, code]) => code)
  expect(new Set(documented)).toEqual(new Set(errorCodes))
})
