import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { spawnChild } from '../src/index.ts'

const script = new URL('./fixtures/points.mjs', import.meta.url)

describe('spawnChild', () => {
  it('reports how the child ended and what it wrote', async () => {
    const child = spawnChild(script)
    expect(await child.exited).toMatchObject({
      code: 0,
      signal: null,
      stdout: 'after opened\nafter written\nafter closed\n',
      stderr: '',
    })
    const failed = await spawnChild(script, { args: ['fail'] }).exited
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('This child fails')
  })

  it('waits for points, also for those already passed', async () => {
    const child = spawnChild(script)
    await child.waitFor('written')
    await child.waitFor('opened')
    await child.exited
    await child.waitFor('closed')
  })

  it('kills the child at an armed point, before it goes on', async () => {
    const child = spawnChild(script, { killAt: ['written'] })
    await child.waitFor('written')
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL', stdout: 'after opened\n' })
  })

  it('fails to wait for a point that the child never reaches', async () => {
    const child = spawnChild(script, { args: ['fail'] })
    const failure = child.waitFor('absent')
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CHILD_ENDED' })
    await expect(failure).rejects.toThrow(/\(status 1\) before it reached absent:[^]*This child fails/)
  })

  it('passes the environment and options of Node on', async () => {
    const child = spawnChild('-', {
      execArgv: ['--eval', 'process.stdout.write(process.env.COLOUR)'],
      env: { COLOUR: 'red' },
    })
    expect((await child.exited).stdout).toBe('red')
  })

  it('can be killed at any time', async () => {
    const child = spawnChild('-', { execArgv: ['--eval', 'setInterval(() => {}, 1000)'] })
    child.kill('SIGTERM')
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM' })
  })
})

it('leaves the channel of a process that was forked by others alone, and passes its points', async () => {
  const child = fork(new URL('./fixtures/forked.mjs', import.meta.url))
  const [message] = (await once(child, 'message')) as [unknown]
  expect(message).toBe('ready')
  child.send('end') // it waits for this: its channel keeps it
  expect(await once(child, 'exit')).toEqual([0, null])
})
