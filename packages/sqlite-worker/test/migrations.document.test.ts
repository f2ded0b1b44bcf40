import { expect, it } from 'vitest'
import { runDocument } from './fixtures/run-document.ts'

it('has programs that print what they say', async () => {
  const programs = await runDocument('docs/migrations.md')
  expect(programs).toHaveLength(2)
  for (const { printed, promised } of programs) expect(printed).toBe(promised)
})
