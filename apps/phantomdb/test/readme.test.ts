import { readFileSync } from 'node:fs'
import { runReadme } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { replyStatus, serverErrorCodes } from '../src/index.ts'

const folder = new URL('../', import.meta.url)
const readme = readFileSync(new URL('README.md', folder), 'utf8')

it('has examples that compile', async () => {
  await runReadme(folder)
})

it('documents exactly the error codes there are', () => {
  const replies = [...readme.matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  expect(Object.fromEntries(replies)).toEqual(replyStatus)
  const errors = [...readme.matchAll(/^\| `(ERR_\w+)` /gm)].map(([, code]) => code)
  expect(new Set(errors)).toEqual(new Set(serverErrorCodes))
})
