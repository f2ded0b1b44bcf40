import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LockTimeoutError, withProcessLock } from '../src/process-lock.ts'

describe('withProcessLock', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outrider-lock-'))
    path = join(folder, 'lock')
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('runs one action at a time and leaves nothing behind', async () => {
    let running = 0
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        withProcessLock(path, async () => {
          running += 1
          expect(running).toBe(1)
          await sleep(1)
          running -= 1
          return index
        }),
      ),
    )
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(await readdir(folder)).toEqual([])
  })

  it('is released when the action fails', async () => {
    await expect(withProcessLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withProcessLock(path, () => Promise.resolve('yes'))).toBe('yes')
  })

  it('takes over the lock of a dead process, once', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    await writeFile(path, JSON.stringify({ pid, token: 'gone' }))
    let running = 0
    const action = async () => {
      running += 1
      expect(running).toBe(1)
      await sleep(1)
      running -= 1
    }
    await Promise.all(Array.from({ length: 8 }, () => withProcessLock(path, action)))
    expect(await readdir(folder)).toEqual([])
  })

  it('takes over a lock whose process id was given to another process', async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, startTime: '1', token: 'reused' }))
    if (process.platform === 'linux') await withProcessLock(path, () => Promise.resolve())
  })

  it('gives up after the time it was given, naming the holder', async () => {
    await withProcessLock(path, async () => {
      const second = withProcessLock(path, () => Promise.resolve(), { timeoutMs: 1 })
      await expect(second).rejects.toThrow(LockTimeoutError)
      await expect(second).rejects.toMatchObject({ holderPid: process.pid })
    })
  })
})
