import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import {
  ABCBaseCommand,
  BaseCommand,
  callCommand,
  CommandError,
  Options,
  type Arguments,
  type CommandEnvironment,
  type OptionSpec,
} from '../src/index.ts'
import { answers, capture } from './streams.ts'

/** A command without options that does this. */
function command<R>(handle: (self: BaseCommand) => R) {
  return class Sample extends BaseCommand {
    addCommandArguments(p: Arguments) {
      return p
    }

    handleCommand() {
      return handle(this)
    }
  }
}

/** Runs a command for what it writes. */
async function output(
  handle: (self: BaseCommand) => unknown,
  options: Record<string, unknown> = {},
  { isTTY = false, ...environment }: CommandEnvironment & { isTTY?: boolean } = {},
) {
  const { out, err, ...streams } = capture({ isTTY })
  await callCommand(command(handle), options, { ...streams, ...environment })
  return { out: out(), err: err().replaceAll(/\d+ ms/g, 'N ms') }
}

describe('a command', () => {
  it('prepares, works and is torn down, in this order', async () => {
    const events: string[] = []
    class Sample extends ABCBaseCommand<{ name: string }> {
      addCommandArguments(p: Arguments) {
        return p.option('times', { type: 'integer', default: 2 })
      }

      override baseHandle() {
        events.push(`prepare ${this.context.name}`)
      }

      handleCommand() {
        events.push(`work ${this.getOption('times')}`)
        return events.length
      }

      override teardown() {
        events.push('tear down')
      }
    }
    const outcome = await callCommand(Sample, {}, { context: { name: 'x' } })
    expect(outcome).toEqual({ exitCode: 0, result: 2 })
    expect(events).toEqual(['prepare x', 'work 2', 'tear down'])
  })

  it('is torn down after an error too, and the first error counts', async () => {
    class Failing extends BaseCommand {
      addCommandArguments(p: Arguments) {
        return p
      }

      handleCommand() {
        throw new CommandError('first')
      }

      override teardown() {
        throw new Error('second')
      }
    }
    const { stdout, stderr, err } = capture()
    await expect(callCommand(Failing, {}, { stdout, stderr })).rejects.toThrow('first')
    expect(err()).toBe('teardown failed too: second\n')
  })

  it('cannot override handle or addArguments', async () => {
    class Sample extends command(() => {}) {}
    Object.defineProperty(Sample.prototype, 'handle', { value: () => {} })
    await expect(callCommand(Sample)).rejects.toThrow(
      "Sample overrides handle, which is the kit's: write handleCommand instead",
    )
  })

  it('has options and context only while it runs', () => {
    const Sample = command(() => {})
    expect(() => new Sample().dryRun).toThrow('only while it runs')
  })

  it('sets the exit code', async () => {
    const Sample = command((self) => (self.exitCode = 75))
    expect(await callCommand(Sample)).toEqual({ exitCode: 75, result: 75 })
  })

  it('refuses a declaration that is not usable', async () => {
    const declaring = (declare: (p: Arguments) => Arguments) =>
      class extends command(() => {}) {
        override addCommandArguments(p: Arguments) {
          return declare(p)
        }
      }
    const failures = [
      [(p: Arguments) => p.option('force'), 'declared twice'],
      [(p: Arguments) => p.option('dry-run'), 'camelCase name, got "dry-run"'],
      [
        (p: Arguments) => p.option('x', { tpye: 'integer' } as OptionSpec),
        'Unknown key "tpye" of x; did you mean "type"?',
      ],
    ] as const
    for (const [declare, message] of failures)
      await expect(callCommand(declaring(declare))).rejects.toThrow(message)
  })
})

describe('callCommand', () => {
  it('changes nothing of the process', async () => {
    const before = [process.exitCode, process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]
    const spies = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')]
    const run = callCommand(command((self) => self.stdout.write('text')))
    await expect(run).resolves.toEqual({ exitCode: 0, result: undefined })
    await expect(callCommand(command(() => Promise.reject(new Error('no'))))).rejects.toThrow('no')
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled()
      spy.mockRestore()
    }
    expect([process.exitCode, process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual(
      before,
    )
  })

  it('checks names and values', async () => {
    const Sample = command(() => {})
    await expect(callCommand(Sample, { dryrun: true } as object)).rejects.toThrow(
      new TypeError('Unknown option "dryrun"; did you mean "dryRun"?'),
    )
    await expect(callCommand(Sample, { batchSize: '5' } as object)).rejects.toMatchObject({
      message: 'Expected --batch-size to be an integer, got "5"',
      exitCode: 2,
    })
    await expect(callCommand(Sample, {}, { stdot: 1 } as object)).rejects.toThrow(
      'Unknown option "stdot"; did you mean "stdout"?',
    )
  })
})

describe('--dry-run', () => {
  it('is known to the command, and keeps effects from happening', async () => {
    const effect = vi.fn(() => 'sent')
    const run = (options: Record<string, unknown>) =>
      output(
        async (self) => self.stdout.write(`${self.dryRun} ${await self.effect('send 3 mails', effect)}`),
        options,
      )
    expect(await run({ [Options.dryRun]: true })).toMatchObject({
      out: 'true undefined\n',
      err: expect.stringContaining('Dry run: would send 3 mails\n'),
    })
    expect(effect).not.toHaveBeenCalled()
    expect((await run({})).out).toBe('false sent\n')
  })
})

describe('--force', () => {
  it('skips the checks that a command marks', async () => {
    const check = (self: BaseCommand) => self.forceable(false, 'The table is not empty')
    await expect(output(check)).rejects.toThrow('The table is not empty (--force skips this check)')
    expect((await output(check, { force: true })).err).toMatch(/^Forced: The table is not empty\n/)
    await output((self) => self.forceable(true, 'never'))
  })
})

describe('--yes', () => {
  const ask = async (self: BaseCommand) => self.stdout.write(String(await self.confirm('Go on?')))

  it('answers every question', async () => {
    expect(await output(ask, { yes: true, verbosity: 0 })).toEqual({ out: 'true\n', err: '' })
  })

  it('is needed where there is no terminal', async () => {
    await expect(output(ask)).rejects.toMatchObject({
      message: 'Cannot ask "Go on?" without a terminal: use --yes to answer with yes',
      exitCode: 2,
    })
  })

  it('is not needed on a terminal, where only a yes is one', async () => {
    for (const [words, answer] of [
      ['y\n', true],
      ['YES\n', true],
      ['n\n', false],
      ['\n', false],
      ['', false],
    ] as const) {
      const { out, err } = await output(ask, { verbosity: 0 }, { stdin: answers(words) })
      expect({ words, out, err }).toEqual({ words, out: `${answer}\n`, err: 'Go on? [y/N]\n' })
    }
  })
})

describe('--timeout', () => {
  it('aborts the signal, waits for the command and ends with 124', async () => {
    const events: string[] = []
    const run = output(
      async (self) => {
        await once(self.signal, 'abort')
        events.push('ended')
      },
      { timeout: '20ms' },
    )
    await expect(run).rejects.toMatchObject({ message: 'Timed out after 20 ms', exitCode: 124 })
    expect(events).toEqual(['ended'])
  })

  it('leaves a command behind that does not end', async () => {
    const run = output(() => new Promise(() => {}), { timeout: '1ms' }, { graceMs: 1 })
    await expect(run).rejects.toMatchObject({ exitCode: 124 })
  })

  it.each(['0', '-1', '5 m', 'x', '9999h', ''])('refuses %j', async (timeout) => {
    await expect(output(() => {}, { timeout })).rejects.toMatchObject({ exitCode: 2 })
  })

  it.each(['30', '30s', '1.5m', '2h', '500ms'])('accepts %j', async (timeout) => {
    await output(() => {}, { timeout })
  })
})

describe('a signal', () => {
  it('stops the command; the reason decides the exit code', async () => {
    const wait = (self: BaseCommand) => once(self.signal, 'abort')
    const controller = new AbortController()
    const run = output(wait, {}, { signal: controller.signal })
    controller.abort(new CommandError('Terminated', { exitCode: 143 }))
    await expect(run).rejects.toMatchObject({ message: 'Terminated', exitCode: 143 })
    await expect(output(wait, {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ exitCode: 130 })
  })
})

describe('--batch-size', () => {
  it('cuts what batches() is given, with a turn of the event loop after each', async () => {
    let turns = 0
    const run = async (self: BaseCommand) => {
      for await (const batch of self.batches([1, 2, 3, 4, 5])) {
        self.stdout.write(`${batch.join()} after ${turns}`)
        setImmediate(() => (turns += 1))
      }
    }
    expect((await output(run, { batchSize: 2 })).out).toBe('1,2 after 0\n3,4 after 1\n5 after 2\n')
  })
})

describe('--verbosity', () => {
  it('decides what the log, the steps and the end write', async () => {
    const run = async (verbosity: number) => {
      const { err } = await output(
        async (self) => {
          self.log.error('error')
          self.log.warn('warn')
          self.log.info({ rows: 3 }, 'info')
          self.log.debug('debug')
          self.log.trace('trace')
          await self.step('load', () => {})
        },
        { verbosity },
      )
      return err.split('\n').slice(0, -1)
    }
    const one = ['error', 'warn', 'info {"rows":3}', 'load: N ms', 'sample finished in N ms']
    const two = [
      'sample started',
      'error',
      'warn',
      'info {"rows":3}',
      'debug',
      'load ...',
      'load: N ms',
      'sample finished in N ms',
    ]
    expect(await run(0)).toEqual(['error'])
    expect(await run(1)).toEqual(one)
    expect(await run(2)).toEqual(two)
    expect(await run(3)).toEqual([...two.slice(0, 5), 'trace', ...two.slice(5)])
  })

  it('has no say in a log that was handed in', async () => {
    const log = { trace: vi.fn(), debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
    expect(await output((self) => self.log.trace('x'), { verbosity: 0 }, { log })).toEqual({
      out: '',
      err: '',
    })
    expect(log.trace).toHaveBeenCalledWith('x')
  })
})

describe('colours', () => {
  const green = '\u001B[32mdone\u001B[39m\n'
  const write = (self: BaseCommand) => self.stdout.write(self.style.success('done'))

  it.each([
    ['on a terminal', {}, { isTTY: true, env: {} }, green],
    ['not into a file', {}, { env: {} }, 'done\n'],
    ['not with NO_COLOR', {}, { isTTY: true, env: { NO_COLOR: '1' } }, 'done\n'],
    ['with FORCE_COLOR', {}, { env: { FORCE_COLOR: '1' } }, green],
    ['not with FORCE_COLOR=0', {}, { env: { FORCE_COLOR: '0' } }, 'done\n'],
    ['with --force-color', { forceColor: true }, { env: { NO_COLOR: '1' } }, green],
    ['not with --no-color', { noColor: true }, { isTTY: true, env: { FORCE_COLOR: '1' } }, 'done\n'],
  ])('are used %s', async (_, options, environment, expected) => {
    expect((await output(write, options, environment)).out).toBe(expected)
  })
})

describe('--json', () => {
  it('leaves stdout to the result, and makes events of all else', async () => {
    const { out, err } = await output(
      (self) => {
        self.stdout.write('text')
        self.log.info({ rows: 3 }, 'loaded')
        self.progress(10).update(10)
        return { rows: 3 }
      },
      { json: true },
    )
    expect(out).toBe('{"rows":3}\n')
    const [text, ...events] = err.trim().split('\n')
    expect(text).toBe('text')
    expect(events.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'info', rows: 3, message: 'loaded' },
      { event: 'progress', label: 'sample', done: 10, total: 10, percent: 100 },
      { level: 'info' },
    ])
  })

  it('prints null for a command without a result', async () => {
    expect((await output(() => {}, { json: true })).out).toBe('null\n')
  })
})

describe('table', () => {
  it('aligns columns, numbers to the right', async () => {
    const rows = [
      { name: 'a', count: 5, note: null },
      { name: 'long', count: 10, note: [1] },
    ]
    expect((await output((self) => self.table(rows))).out).toBe(
      'name  count  note\na         5\nlong     10  [1]\n',
    )
    expect((await output((self) => self.table([]))).out).toBe('')
  })
})
