import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { prepareServices, skipped, spawnChild, temporaryDirectory } from '../src/index.ts'

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

describe('the global setup', () => {
  it('ends the run with what to do about a missing service, and no stack', async () => {
    const script = new URL('fixtures/global-setup.ts', import.meta.url)
    const env = {
      PATH: '',
      REDIS_URL: '',
      REDIS_SERVER_BINARY: '',
      CHROMIUM_PATH: '',
      SKIP_SERVICES: 'postgres,chromium',
    }
    await using child = spawnChild(script, { env })
    const { code, stdout, stderr } = await child.exited
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^\nThese tests need Redis, but .*Do one of these:\n( {2}- .*\n){3}\n$/)
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
