import { describe, expectTypeOf, it } from 'vitest'
import { BaseCommand, callCommand, type Arguments } from '../src/index.ts'
import { CleaningDF, ImportDataCommand, type BulksByModel, type Frame } from '../src/import/index.ts'

class ClosePoll extends BaseCommand<{ db: string }> {
  addCommandArguments(p: Arguments) {
    return p
      .argument('pollIds', { type: 'integer', variadic: true })
      .option('reason', { choices: ['old', 'spam'], default: 'old' })
      .option('by')
      .option('at', { type: 'number', required: true })
      .option('tag', { multiple: true })
      .option('quiet', { type: 'boolean' })
  }

  handleCommand() {
    expectTypeOf(this.getOption('pollIds')).toEqualTypeOf<number[]>()
    expectTypeOf(this.getOption('reason')).toEqualTypeOf<'old' | 'spam'>()
    expectTypeOf(this.getOption('by')).toEqualTypeOf<string | undefined>()
    expectTypeOf(this.getOption('at')).toEqualTypeOf<number>()
    expectTypeOf(this.getOption('tag')).toEqualTypeOf<string[]>()
    expectTypeOf(this.getOption('quiet')).toEqualTypeOf<boolean>()
    expectTypeOf(this.getOption('batchSize')).toEqualTypeOf<number>()
    expectTypeOf(this.context).toEqualTypeOf<{ db: string }>()
    // @ts-expect-error there is no such option
    void this.getOption('pollId')
    // @ts-expect-error nor is it one of imports
    void this.getOption('file')
    return 5
  }
}

class ImportThings extends ImportDataCommand {
  addCommandArguments(p: Arguments) {
    return p.option('language', { default: 'en' })
  }

  getCleaningDf() {
    return CleaningDF
  }

  getBulksByModel(_df: Frame): BulksByModel {
    expectTypeOf(this.getOption('language')).toEqualTypeOf<string>()
    expectTypeOf(this.getOption('file')).toEqualTypeOf<string | undefined>()
    expectTypeOf(this.getOption('mode')).toEqualTypeOf<'create' | 'upsert'>()
    expectTypeOf(this.getOption('dryRun')).toEqualTypeOf<boolean>()
    // @ts-expect-error there is no such option
    void this.getOption('langauge')
    return []
  }
}

describe('a command', () => {
  it("cannot override what is the kit's", () => {
    class _Sample extends ClosePoll {
      // @ts-expect-error handleCommand is the one to write
      override handle() {
        return Promise.resolve()
      }

      // @ts-expect-error addCommandArguments is the one to write
      override addArguments() {}
    }
  })

  it('has to declare its arguments and its work', () => {
    // @ts-expect-error two methods are missing
    class _Sample extends BaseCommand {}
  })

  it('takes only keys of a specification that exist', () => {
    // @ts-expect-error variadic is for arguments
    const declare = (p: Arguments) => p.option('x', { variadic: true })
    // @ts-expect-error there is no such type
    const other = (p: Arguments) => p.option('x', { type: 'date' })
    void [declare, other]
  })
})

describe('callCommand', () => {
  it('takes the options of the command and its context, and gives its result', async () => {
    const { result } = await callCommand(ClosePoll, { pollIds: [1], reason: 'spam' }, { context: { db: '' } })
    expectTypeOf(result).toEqualTypeOf<number>()
    // @ts-expect-error ids are numbers
    void callCommand(ClosePoll, { pollIds: ['1'] }, { context: { db: '' } })
    // @ts-expect-error there is no such option
    void callCommand(ClosePoll, { pollId: [1] }, { context: { db: '' } })
    // @ts-expect-error the command needs a context
    void callCommand(ClosePoll, { pollIds: [1] })
    // @ts-expect-error it is another one
    void callCommand(ClosePoll, { pollIds: [1] }, { context: { db: 5 } })
    void callCommand(ImportThings, { file: 'x.csv', language: 'de', dryRun: true })
  })
})
