import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import { callCommand, manage, type ManageOptions } from '../src/index.ts'
import { capture } from './streams.ts'

const commands = [new URL('fixtures/commands/', import.meta.url)]

async function run(argv: string[], options: Partial<ManageOptions> = {}) {
  const { out, err, ...streams } = capture()
  const exitCode = await manage({ commands, argv, env: {}, ...streams, ...options })
  return { exitCode, out: out(), err: err() }
}

describe('the list of commands', () => {
  it('is shown by manage alone, and by manage help', async () => {
    const listed = await run([])
    expect(listed).toMatchObject({ exitCode: 0, err: '' })
    expect(listed.out).toMatch(/Commands:\n {2}chatter\n {2}close-poll\n {2}crash\n {2}wait-for-signal\n/)
    expect(await run(['help'])).toEqual(listed)
    expect(await run(['--help'])).toEqual(listed)
  })

  it('comes from file names alone: no file is loaded', async () => {
    await using folder = await temporaryDirectory()
    await writeFile(join(folder.path, 'broken.mjs'), 'throw new Error("loaded")')
    await writeFile(join(folder.path, '_shared.mjs'), '')
    await writeFile(join(folder.path, 'broken.test.mjs'), '')
    await mkdir(join(folder.path, 'group'))
    const listed = await run([], { commands: [folder.path] })
    expect(listed.out).toContain('Commands:\n  broken\n\n')
    expect(await run(['broken'], { commands: [folder.path] })).toMatchObject({ exitCode: 1 })
  })

  it('names both files when two have one name', async () => {
    await using folder = await temporaryDirectory()
    const files = ['import_books.mjs', 'import-books.mjs'].map((name) => join(folder.path, name))
    for (const file of files) await writeFile(file, '')
    const { exitCode, err } = await run(['import-books'], { commands: [folder.path] })
    expect(exitCode).toBe(1)
    for (const file of files) expect(err).toContain(file)
  })

  it('says which folder cannot be read', async () => {
    expect(await run([], { commands: ['/nowhere'] })).toEqual({
      exitCode: 1,
      out: '',
      err: 'Cannot read the folder of commands /nowhere\n',
    })
  })
})

describe('a file of a command', () => {
  it('exports exactly one', async () => {
    await using folder = await temporaryDirectory()
    const kit = JSON.stringify(new URL('../src/index.ts', import.meta.url).pathname)
    await writeFile(join(folder.path, 'none.mjs'), 'export const x = 1')
    await writeFile(
      join(folder.path, 'two.mjs'),
      `import { BaseCommand } from ${kit}\nexport class A extends BaseCommand {}\nexport class B extends BaseCommand {}`,
    )
    const at = { commands: [folder.path] }
    expect((await run(['none'], at)).err).toMatch(/none\.mjs to export one command, found none/)
    expect((await run(['two'], at)).err).toMatch(/two\.mjs to export one command, found A, B/)
  })
})

describe('a command line', () => {
  it('runs a command, whichever way its name is written', async () => {
    for (const name of ['close-poll', 'close_poll', 'closePoll']) {
      const { exitCode, out } = await run([name, '1', '2', '--verbosity', '0'])
      expect({ exitCode, out }).toEqual({
        exitCode: 0,
        out: 'Successfully closed poll "1"\nSuccessfully closed poll "2"\n',
      })
    }
  })

  it('takes options with dashes and with underscores, before and after arguments', async () => {
    const polls = new Map([[1, true]])
    for (const flag of ['--dry-run', '--dry_run']) {
      await run([`close-poll`, flag, '1'], { context: { polls } })
      await run([`close-poll`, '1', flag], { context: { polls } })
      expect(polls.get(1)).toBe(true)
    }
    await run(['close-poll', '1', '--batch_size=5'], { context: { polls } })
    expect(polls.get(1)).toBe(false)
  })

  it('ends with 1 and the message alone when the command cannot do it; what was done before stays', async () => {
    const polls = new Map([[1, true]])
    expect(await run(['close-poll', '1', '7'], { context: { polls } })).toEqual({
      exitCode: 1,
      out: 'Successfully closed poll "1"\n',
      err: 'Poll "7" does not exist\n',
    })
    expect(polls.get(1)).toBe(false)
  })

  it.each([
    [['close-pol'], 'Unknown command "close-pol"; did you mean "close-poll"?'],
    [['zzz'], 'Unknown command "zzz"'],
    [['close-poll', '1', '--dryrun'], `Unknown option '--dryrun' (Did you mean --dry-run?)`],
    [['close-poll', '1', '--threads', '2'], `Unknown option '--threads'`],
    [['close-poll'], `Missing required argument 'poll-ids'`],
    [['close-poll', 'x'], 'Expected <poll-ids> to be an integer, got "x"'],
    [['close-poll', '1.5'], 'Expected <poll-ids> to be an integer, got 1.5 (number)'],
    [['close-poll', '1', '--batch-size', '0'], 'Expected --batch-size to be 1 or more, got 0'],
    [['close-poll', '1', '--verbosity', '4'], 'Expected --verbosity to be one of 0, 1, 2, 3, got 4 (number)'],
    [['close-poll', '1', '--timeout'], `Option '--timeout <string>' argument missing`],
  ])('that is wrong ends with 2 and one line: %j', async (argv, message) => {
    expect(await run(argv)).toEqual({ exitCode: 2, out: '', err: `${message}\n` })
  })

  it('takes negative numbers, and everything behind -- as arguments', async () => {
    expect((await run(['close-poll', '-5'])).err).toBe('Poll "-5" does not exist\n')
    expect((await run(['close-poll', '--', '--dry_run'])).err).toMatch(/got "--dry_run"/)
  })
})

describe('an unexpected error', () => {
  it('ends with 1, its message and a hint; --traceback shows the stack', async () => {
    const { exitCode, err } = await run(['crash'])
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: 'boom\nAn unexpected error: --traceback shows where it happened\n',
    })
    expect((await run(['crash', '--traceback'])).err).toMatch(/^RangeError: boom\n\s+at .*crash\.ts/)
    const json = await run(['crash', '--json', '--traceback'])
    expect(JSON.parse(json.err)).toMatchObject({ level: 'error', message: expect.stringContaining('boom\n') })
  })
})

describe('help', () => {
  it('lists the options of the command first', async () => {
    const { exitCode, out } = await run(['help', 'wait-for-signal'])
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^Usage: manage wait-for-signal/)
    expect(out.indexOf('--stubborn')).toBeGreaterThan(0)
    expect(out.indexOf('--stubborn')).toBeLessThan(out.indexOf('--dry-run'))
    expect((await run(['wait_for_signal', '--help'])).out).toBe(out)
  })

  it('needs no context', async () => {
    const context = () => Promise.reject(new Error('opened'))
    expect(await run(['help', 'close-poll'], { context })).toMatchObject({ exitCode: 0, err: '' })
    expect(await run(['close-poll', '1'], { context })).toMatchObject({ exitCode: 1 })
  })
})

describe('manage()', () => {
  it('refuses an option it does not know', async () => {
    await expect(run([], { contxt: 1 } as object)).rejects.toThrow(
      new TypeError('Unknown option "contxt"; did you mean "context"?'),
    )
  })

  it('disposes the context that it made, after the command', async () => {
    const events: string[] = []
    const context = () => ({
      polls: new Map([[1, true]]),
      [Symbol.asyncDispose]: async () => void events.push('disposed'),
    })
    await run(['close-poll', '1'], { context, stdout: { write: (text) => events.push(text.trim()) } })
    await run(['close-poll', '2'], { context })
    expect(events).toEqual(['Successfully closed poll "1"', 'disposed', 'disposed'])
  })

  it('loads by name for callCommand too', async () => {
    const outcome = await callCommand({ name: 'close_poll', commands }, { pollIds: [1, 2] })
    expect(outcome).toEqual({ exitCode: 0, result: 2 })
  })
})
