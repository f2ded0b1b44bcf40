import { readFileSync } from 'node:fs'
import { runReadme } from '@outrider/test-kit'
import { expect, it, vi } from 'vitest'
import * as main from '../src/index.ts'
import { useServer } from './fixture.ts'

const server = useServer()
const folder = new URL('../', import.meta.url)

it('has programs that print what they say', async () => {
  vi.stubEnv('PHANTOMDB_URL', server.url)
  const programs = await runReadme(folder)
  expect(programs).not.toHaveLength(0)
  for (const { printed, promised } of programs) expect(printed).toBe(promised)
})

it('documents exactly the errors there are', () => {
  const [, table = ''] = readFileSync(new URL('README.md', folder), 'utf8').split('\n## Errors\n')
  const documented = [...table.matchAll(/^\| (`.*?)\|/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  const isError = (value: unknown) =>
    typeof value === 'function' && value.prototype instanceof main.PhantomDBError
  const exported = Object.entries(main).flatMap(([name, value]) => (isError(value) ? [name] : []))
  expect(new Set(documented)).toEqual(new Set(exported))
})
