import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as queue from '../src/queue/index.ts'
import { runDocument } from './fixtures/run-document.ts'

const document = readFileSync(new URL('../docs/queue.md', import.meta.url), 'utf8')

it('has programs that print what they say', async () => {
  const programs = await runDocument('docs/queue.md')
  expect(programs).toHaveLength(3)
  for (const { printed, promised } of programs) expect(printed).toBe(promised)
})

it('documents the code of every error of the queue', () => {
  const documented = new Set([...document.matchAll(/^\| `(ERR_\w+)`\s*\|/gm)].map(([, code]) => code))
  const codes = [
    new queue.JobDeadError(1, undefined),
    new queue.JobNotFoundError(1),
    new queue.JobTimeoutError(1, 1),
    new queue.LeaseLostError(1),
    new queue.PayloadError('task', []),
    new queue.QueueClosedError(),
    new queue.QueueVersionError(2, 1),
    new queue.WaitTimeoutError('It', 1),
  ].map(({ code }) => code)
  expect(documented).toEqual(new Set([...codes, 'ERR_VALUE']))
})
