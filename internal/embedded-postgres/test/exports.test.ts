import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import * as entry from '../src/index.ts'

it('the error codes in the README are those in the source', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const documented = [...readme.matchAll(/^\| `(ERR_\w+)`/gm)].map(([, code]) => code)
  expect(documented).toEqual(Object.values(entry.POSTGRES_ERROR_CODES))
})

it('exports', () => {
  expect(Object.keys(entry).toSorted((a, b) => a.localeCompare(b))).toMatchInlineSnapshot(`
    [
      "EmbeddedPostgresError",
      "findPostgresBinaries",
      "isEmbeddedPostgresError",
      "locateDataDir",
      "POSTGRES_ERROR_CODES",
      "startPostgres",
      "stopPostgres",
    ]
  `)
})
