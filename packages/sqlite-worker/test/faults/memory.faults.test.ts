import { spawnChild } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { temporaryFile, workerUrl } from '../fixture.ts'
import { seedOf, sized } from './size.ts'

const program = new URL('../fixtures/fault-memory.ts', import.meta.url)
const MEBIBYTE = 2 ** 20

interface Report {
  readonly early: { readonly main: number; readonly writer: number }
  readonly late: Report['early']
  readonly unobserved: number
  readonly started: number
}

it(
  'the heap does not grow with the operations, half of whose tokens are abandoned',
  {
    timeout: 180_000,
  },
  async () => {
    const total = sized(20_000, 1_000_000)
    const args = [temporaryFile(), workerUrl().href, String(seedOf('memory')), String(total)]
    await using child = spawnChild(program, { args, execArgv: ['--expose-gc'] })
    const { code, stderr, stdout } = await child.exited
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { early, late, started, unobserved } = JSON.parse(stdout) as Report
    expect(started).toBeGreaterThanOrEqual(total)
    expect(unobserved).toBeGreaterThan(0)
    for (const thread of ['main', 'writer'] as const) {
      const growth = (late[thread] - early[thread]) / MEBIBYTE
      process.stderr.write(`memory: ${thread} ${growth.toFixed(1)} MiB more after ${started} operations\n`)
      expect(growth, thread).toBeLessThanOrEqual(sized(2, 16))
    }
  },
)
