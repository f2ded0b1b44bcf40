import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { BaseCommand, callCommand, type Arguments, type Progress } from '../src/index.ts'
import { capture } from './streams.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function show(
  work: (bar: Progress, self: BaseCommand) => void,
  { isTTY = false, verbosity = 1, unit = '' }: { isTTY?: boolean; verbosity?: 0 | 1; unit?: string } = {},
) {
  class Load extends BaseCommand {
    addCommandArguments(p: Arguments) {
      return p
    }

    handleCommand() {
      work(this.progress(1000, { unit }), this)
    }
  }
  const { out: _, err, ...streams } = capture({ isTTY })
  await callCommand(Load, { verbosity }, streams)
  return err()
}

it('writes a line every 10 % where there is no terminal', async () => {
  const text = await show((bar) => {
    for (let done = 0; done < 1000; done += 50) {
      vi.advanceTimersByTime(100)
      bar.add(50)
    }
  })
  const lines = text.split('\n').slice(0, -2)
  expect(lines).toHaveLength(10)
  expect(lines[1]).toBe('load: 20 % (200 of 1,000, 500/s, 1.6 s left)')
  expect(lines[9]).toBe('load: 100 % (1,000 of 1,000, 500/s)')
})

it('writes a line every 10 s of slow work, and where it stood when the work ended early', async () => {
  const text = await show((bar) => {
    for (let done = 1; done <= 5; done += 1) {
      vi.advanceTimersByTime(5000)
      bar.update(done)
    }
  })
  expect(text.split('\n').slice(0, -2)).toEqual([
    'load: 0 % (2 of 1,000, 0/s, 1 h 23 min left)',
    'load: 0 % (4 of 1,000, 0/s, 1 h 23 min left)',
    'load: 0 % (5 of 1,000, 0/s, 1 h 22 min left)',
  ])
})

it('draws a bar on a terminal, ten times a second at most, and writes lines above it', async () => {
  const text = await show(
    (bar, self) => {
      for (let done = 1; done <= 500; done += 1) {
        vi.advanceTimersByTime(1)
        bar.update(done)
      }
      self.stderr.write('a line')
    },
    { isTTY: true },
  )
  const frames = text.split('\r\u001B[K').filter((frame) => frame.startsWith('load ['))
  expect(frames.slice(1, 5).map((frame) => frame.replaceAll(/[^#]/g, '').length)).toEqual([3, 6, 9, 12])
  expect(frames[1]).toMatch(/^load \[###-{27}\] 10 % \(101 of 1,000, 1,000\/s, 899 ms left\)$/)
  expect(text).toContain('\r\u001B[Ka line\nload [')
  expect(text).toContain('\r\u001B[Kload: 50 % (500 of 1,000, 1,000/s, 500 ms left)\n')
})

it('counts bytes as bytes, and shows nothing with verbosity 0', async () => {
  const all = (bar: Progress) => bar.update(1000)
  expect(await show(all, { unit: 'bytes' })).toMatch(/^load: 100 % \(1\.0 kB of 1\.0 kB, /)
  expect(await show(all, { unit: 'bytes', isTTY: true, verbosity: 0 })).toBe('')
})

it('is complete when there was nothing to do', async () => {
  class Load extends BaseCommand {
    addCommandArguments(p: Arguments) {
      return p
    }

    handleCommand() {
      using bar = this.progress(0)
      bar.update(0)
    }
  }
  const { out: _, err, ...streams } = capture()
  await callCommand(Load, {}, streams)
  expect(err()).toMatch(/^load: 100 % \(0 of 0, 0\/s\)\n/)
})
