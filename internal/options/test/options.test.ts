import { describe, expect, it } from 'vitest'
import { checkOptions, didYouMean, suggestion, type OptionChecks } from '../src/index.ts'

interface Options {
  step?: number
  maxRows?: number
}

const positive = { expected: 'a positive number', accepts: (value: unknown) => Number(value) > 0 }
const checks: OptionChecks<Options> = { step: positive, maxRows: positive }

describe('options', () => {
  it('that fit are accepted, also where they are undefined', () => {
    expect(() => checkOptions<object>({ step: 1, maxRows: undefined }, checks)).not.toThrow()
  })

  it.each([
    [{ stepp: 1 }, 'Unknown option "stepp"; did you mean "step"?'],
    [{ MAXROWS: 1 }, 'Unknown option "MAXROWS"; did you mean "maxRows"?'],
    [{ toString: 1 }, 'Unknown option "toString"; there are step, maxRows'],
    [{ step: -1 }, 'Expected step to be a positive number, got -1 (number)'],
    [{ step: 'secret' }, 'Expected step to be a positive number, got string'],
    [{ step: null }, 'Expected step to be a positive number, got null'],
    [{ step: [0] }, 'Expected step to be a positive number, got an array'],
    [null, 'Expected options to be an object, got null'],
    ['secret', 'Expected options to be an object, got string'],
  ])('%j are refused with what was expected and what came', (options, message) => {
    expect(() => checkOptions(options as Options, checks)).toThrow(new TypeError(message))
  })

  it('are refused with the error of the package that asked', () => {
    class InvalidOptionError extends Error {}
    expect(() => checkOptions({ x: 1 } as Options, checks, InvalidOptionError)).toThrow(InvalidOptionError)
  })
})

describe('a suggestion', () => {
  it('is the nearest name, without regard to case', () => {
    expect(didYouMean('dryrun', ['force', 'dryRun'])).toBe('; did you mean "dryRun"?')
    expect(suggestion('priorty', ['group', 'priority'])).toBe('; did you mean "priority"?')
  })

  it('is left out, or names all, where none is near', () => {
    expect(didYouMean('verbose', ['force', 'dryRun'])).toBe('')
    expect(suggestion('verbose', ['force', 'dryRun'])).toBe('; there are force, dryRun')
  })
})
