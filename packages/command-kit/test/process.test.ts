import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { eventually, spawnChild } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'

const script = new URL('fixtures/manage.ts', import.meta.url)
const execArgv = ['--conditions=@outrider/source']

const start = (...args: string[]) => spawnChild(script, { args, execArgv })

describe('the process of a command', () => {
  it.each([
    [['close-poll', '1'], 0, 'Successfully closed poll "1"\n', ''],
    [['close-poll', '7'], 1, '', 'Poll "7" does not exist\n'],
    [['close-poll', 'x'], 2, '', 'Expected <poll-ids> to be an integer, got "x"\n'],
    [['crash'], 1, '', 'boom\nAn unexpected error: --traceback shows where it happened\n'],
    [['wait-for-signal', '--timeout', '1ms'], 124, 'torn down\n', 'Timed out after 1 ms\n'],
  ])('%j ends with %i', async (args, code, stdout, stderr) => {
    await using child = start(...args, '--verbosity', '0')
    expect(await child.exited).toEqual({ code, signal: null, stdout, stderr })
  })

  it.each([
    ['SIGINT', 130, 'Interrupted\n'],
    ['SIGTERM', 143, 'Terminated\n'],
  ] as const)(
    'stops the command at the first %s, tears it down and ends with %i',
    async (signal, code, stderr) => {
      await using child = start('wait-for-signal')
      await child.waitFor('running')
      child.kill(signal)
      expect(await child.exited).toEqual({ code, signal: null, stdout: 'torn down\n', stderr })
    },
  )

  it('ends at the second signal when the command does not', async () => {
    await using child = start('wait-for-signal', '--stubborn')
    await child.waitFor('running')
    child.kill('SIGINT')
    await child.waitFor('aborted')
    child.kill('SIGINT')
    expect(await child.exited).toEqual({ code: 130, signal: null, stdout: '', stderr: '' })
  })

  it('ends quietly when nobody reads its output any more', async () => {
    const loader = import.meta.resolve('@outrider/tsconfig/typescript-loader')
    const child = spawn(
      process.execPath,
      ['--import', loader, ...execArgv, fileURLToPath(script), 'chatter'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    let stderr = ''
    let isOver = false
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdout.once('data', () => child.stdout.destroy())
    child.once('close', () => (isOver = true))
    try {
      await eventually(() => isOver, { timeoutMs: 15_000 })
    } finally {
      child.kill('SIGKILL')
    }
    expect({ code: child.exitCode, stderr }).toEqual({ code: 0, stderr: '' })
  })
})
