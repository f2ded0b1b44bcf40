import { expect, it } from 'vitest'
import { CommandError, ExitCode, isCommandError } from '../src/index.ts'

it('ends the process with 1 unless it says otherwise', () => {
  expect(new CommandError('Poll "7" does not exist').exitCode).toBe(1)
  expect(new CommandError('locked', { exitCode: ExitCode.lockHeld }).exitCode).toBe(75)
})

it('forwards its cause, and has none when none was given', () => {
  const cause = new Error('disk full')
  expect(new CommandError('no', { cause }).cause).toBe(cause)
  expect('cause' in new CommandError('no')).toBe(false)
})

it('is told apart from any other error, also by another copy of the package', () => {
  expect(isCommandError(new CommandError('no'))).toBe(true)
  expect(isCommandError({ [Symbol.for('@outrider/command-kit/command-error')]: true })).toBe(true)
  expect([new Error('no'), null, 'no'].some(isCommandError)).toBe(false)
})
