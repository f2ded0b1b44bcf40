import { readFileSync } from 'node:fs'
import { runReadme } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { errorCodes } from '../src/index.ts'

const folder = new URL('../', import.meta.url)

it('has programs that print what they say', async () => {
  const programs = await runReadme(folder)
  expect(programs).not.toHaveLength(0)
  for (const { printed, promised } of programs) expect(printed).toBe(promised)
})

it('documents exactly the error codes there are', () => {
  const texts = ['README.md', 'docs/queue.md'].map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const documented = [...texts.join('\n').matchAll(/^\| `(ERR_\w+)`\s*\|/gm)].map(([, code]) => code)
  expect(new Set(documented)).toEqual(new Set(errorCodes))
})
