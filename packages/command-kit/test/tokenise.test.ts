import { expect, it } from 'vitest'
import { tokenise } from '../src/import/tokenise.ts'

async function* inPieces(text: string, bytes: number) {
  const whole = Buffer.from(text)
  for (let at = 0; at < whole.length; at += bytes) yield whole.subarray(at, at + bytes)
}

it('gives up a quote that is not closed within 16 MiB, and reads on behind its line', async () => {
  const rows = `a,${'b'.repeat(1020)}\n`.repeat(18_000)
  let records = 0
  const rejects = []
  for await (const tokens of tokenise(inPieces(`h,i\n1,"2\n${rows}`, 1024 * 1024), ',')) {
    records += tokens.records.length
    rejects.push(...tokens.rejects)
  }
  expect(rejects).toEqual([
    { record: 1, line: 2, column: undefined, rule: 'quotes', message: 'A quote is not closed' },
  ])
  expect(records).toBe(18_001)
})
