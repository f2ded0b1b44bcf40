import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isProcessAlive, processStartTime } from '@outrider/embedded-postgres/process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cacheFolder } from '../src/cache-folder.ts'
import { describeWith, eventually, spawnChild, temporaryDirectory, type TestChild } from '../src/index.ts'

const script = new URL('./fixtures/services.ts', import.meta.url)

/** Starts services in a child whose temporary folder is the one returned. */
async function startServices(names: string, file = script): Promise<{ child: TestChild; folder: string }> {
  const temporary = await temporaryDirectory()
  onTestFinished(() => temporary.remove())
  // Root's PostgreSQL runs as somebody else.
  await chmod(temporary.path, 0o755)
  const cache = cacheFolder()
  const child = spawnChild(file, {
    args: [names],
    env: { TMPDIR: temporary.path, OUTRIDER_CACHE_DIR: cache },
  })
  onTestFinished(() => child[Symbol.asyncDispose]())
  return { child, folder: temporary.path }
}

describeWith('redis', 'a killed process', () => {
  it('leaves no Redis and no folder behind', async () => {
    const { child, folder } = await startServices('redis,folder')
    await child.waitFor('started')
    const facts: { 0: { pid: number }; 1: { path: string } } = JSON.parse(child.stdout)
    expect(isProcessAlive(facts[0].pid)).toBe(true)
    expect(existsSync(facts[1].path)).toBe(true)
    child.kill('SIGKILL')
    await eventually(() => !isProcessAlive(facts[0].pid), { timeoutMs: 15_000 })
    await eventually(async () => expect(await readdir(folder)).toEqual([]), { timeoutMs: 15_000 })
  })
})

describeWith('redis', 'a killed parent of a test process', () => {
  it('takes the test process and its services along', async () => {
    const { child, folder } = await startServices('redis', new URL('./fixtures/fork.mjs', import.meta.url))
    await eventually(() => child.stdout.includes('\n'), { timeoutMs: 15_000 })
    const facts: { self: number; 0: { pid: number } } = JSON.parse(child.stdout)
    expect(isProcessAlive(facts.self)).toBe(true)
    child.kill('SIGKILL')
    await eventually(() => !isProcessAlive(facts[0].pid) && !isProcessAlive(facts.self), {
      timeoutMs: 15_000,
    })
    await eventually(async () => expect(await readdir(folder)).toEqual([]), { timeoutMs: 15_000 })
  })
})

describeWith('postgres', 'a process killed', () => {
  it('while PostgreSQL runs leaves neither the server nor its data behind', async () => {
    const { child, folder } = await startServices('postgres')
    await child.waitFor('started')
    const facts: { 0: { pid: number } } = JSON.parse(child.stdout)
    expect(isProcessAlive(facts[0].pid)).toBe(true)
    child.kill('SIGKILL')
    await eventually(() => !isProcessAlive(facts[0].pid), { timeoutMs: 15_000 })
    await eventually(async () => expect(await readdir(folder)).toEqual([]), { timeoutMs: 15_000 })
  })

  it.each(['.outrider-draft', 'server.log'])(
    'while PostgreSQL only starts (%s) leaves nothing',
    async (name) => {
      const { child, folder } = await startServices('postgres')
      await eventually(
        async () => (await readdir(folder, { recursive: true })).some((path) => path.endsWith(name)),
        {
          intervalMs: 1,
          timeoutMs: 15_000,
        },
      )
      child.kill('SIGKILL')
      await eventually(async () => expect(await readdir(folder)).toEqual([]), { timeoutMs: 15_000 })
    },
  )
})

// Node itself handles SIGINT and SIGTERM; SIGHUP (1) is handled once the guard's own handlers are in place.
async function catchesSignals(pid = 0): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const caught = BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`)
  return (caught & 1n) === 1n
}

describe('the guard', () => {
  const sleeper = () => {
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }
  const startGuard = () =>
    spawn(process.execPath, [fileURLToPath(new URL('../src/guard.mjs', import.meta.url))], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })

  it.runIf(process.platform === 'linux')(
    'ends what is registered when its input ends, and then itself',
    async () => {
      await using temporary = await temporaryDirectory()
      const folder = join(temporary.path, 'work')
      await mkdir(folder)
      await writeFile(join(folder, 'file'), '')
      const [kept, released] = [sleeper(), sleeper()]
      const guard = startGuard()
      guard.stdin.write(`${JSON.stringify({ op: 'add', id: 1, pid: kept.pid, removeDir: folder })}\n`)
      guard.stdin.write(`${JSON.stringify({ op: 'add', id: 2, pid: released.pid })}\n`)
      guard.stdin.write(`${JSON.stringify({ op: 'remove', id: 2 })}\n`)
      await eventually(() => catchesSignals(guard.pid))
      guard.kill('SIGINT')
      guard.kill('SIGTERM')
      guard.stdin.end()
      expect(await once(guard, 'exit')).toEqual([0, null])
      await eventually(() => kept.signalCode === 'SIGKILL')
      expect(existsSync(folder)).toBe(false)
      expect(released.signalCode).toBeNull()
    },
  )

  it.runIf(process.platform === 'linux')('spares a process that was given the id of another', async () => {
    const stranger = sleeper()
    const startTime = String(Number(processStartTime(stranger.pid ?? 0)) - 1)
    const guard = startGuard()
    guard.stdin.end(`${JSON.stringify({ op: 'add', id: 1, pid: stranger.pid, startTime })}\n`)
    await once(guard, 'exit')
    expect(isProcessAlive(stranger.pid ?? 0)).toBe(true)
  })
})
