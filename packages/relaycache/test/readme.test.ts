import { runReadme } from '@outrider/test-kit'
import { expect, it } from 'vitest'

it('has programs that print what they say', async () => {
  const programs = await runReadme(new URL('../', import.meta.url))
  expect(programs).not.toHaveLength(0)
  for (const { printed, promised } of programs) expect(printed).toBe(promised)
})
