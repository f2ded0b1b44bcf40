import { describe, expect, it } from 'vitest'
import { eventually } from '../src/index.ts'

describe('eventually', () => {
  it('returns what the assertion returns once it passes', async () => {
    let tries = 0
    const result = await eventually(() => {
      tries += 1
      if (tries < 3) throw new Error('not yet')
      return 'done'
    })
    expect(result).toBe('done')
    expect(tries).toBe(3)
  })

  it('retries rejections and false', async () => {
    const answers = [Promise.reject(new Error('no')), Promise.resolve(false), Promise.resolve(true)]
    expect(await eventually(() => answers.shift() ?? false)).toBe(true)
  })

  it('fails with the last error', async () => {
    let tries = 0
    const failing = eventually(
      () => {
        tries += 1
        throw new Error(`try ${tries}`)
      },
      { timeoutMs: 20, intervalMs: 1 },
    )
    const error: unknown = await failing.catch((error: unknown) => error)
    expect(error).toHaveProperty('message', `try ${tries}`)
    expect(tries).toBeGreaterThan(1)
    await expect(eventually(() => false, { timeoutMs: 0 })).rejects.toThrow('did not become true within 0 ms')
  })
})
