import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { prepareServices, skipped, temporaryDirectory } from '../src/index.ts'

describe('SKIP_SERVICES', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  it('skips what it names and says so once', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    vi.stubEnv('SKIP_SERVICES', ' postgres ,redis,')
    expect([skipped('redis'), skipped('redis'), skipped('chromium')]).toEqual([true, true, false])
    expect(write.mock.calls).toEqual([['SKIPPED: redis (SKIP_SERVICES)\n']])
  })

  it('skips nothing when it is not set', () => {
    vi.stubEnv('SKIP_SERVICES', '')
    expect(skipped('postgres')).toBe(false)
  })

  it('must not hold unknown names', () => {
    vi.stubEnv('SKIP_SERVICES', 'redis,postgre')
    expect(() => skipped('redis')).toThrow(
      'names postgre, which is no service. The services are redis, postgres, chromium',
    )
  })

  it('leaves services out of the preparation', async () => {
    vi.stubEnv('SKIP_SERVICES', 'redis,chromium')
    vi.stubEnv('PATH', '')
    await prepareServices(['redis', 'chromium'])
  })
})

describe('temporaryDirectory', () => {
  it('is gone at the end of the block', async () => {
    let path
    {
      await using temporary = await temporaryDirectory()
      path = temporary.path
      await writeFile(join(path, 'file'), '')
      expect(existsSync(path)).toBe(true)
    }
    expect(existsSync(path)).toBe(false)
  })
})
