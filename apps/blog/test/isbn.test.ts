import { expect, it } from 'vitest'
import { restoreIsbn } from '../src/isbn.ts'

it('restores zeros that were lost, and checks the last digit', () => {
  expect(restoreIsbn('439023483')).toBe('0439023483')
  expect(restoreIsbn(' 61122416x')).toBe('061122416X')
  expect(restoreIsbn('080442957X')).toBe('080442957X')
  expect(restoreIsbn('812971060')).toBe(undefined)
  expect(restoreIsbn('97899990000')).toBe(undefined)
})
