import { spawnChild } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { temporaryFile, workerUrl } from '../fixture.ts'
import { expectAllIsThere, readAcknowledged, untilNoted } from './acknowledged.ts'
import { seedOf, sized } from './size.ts'

const writer = new URL('../fixtures/fault-writer.ts', import.meta.url)

it(
  'two processes write the same file at once: all of both is there, and neither sees an error',
  {
    timeout: 180_000,
  },
  async () => {
    const seed = seedOf('two processes')
    const file = temporaryFile()
    const writers = ['a', 'b'].map((name, i) => {
      const notes = `${file}.${name}`
      const child = spawnChild(writer, { args: [file, workerUrl().href, notes, name, String(seed + i)] })
      return { child, notes }
    })
    await Promise.all(writers.map(({ child, notes }) => untilNoted(child, notes, sized(50_000, 10_000_000))))
    for (const { child } of writers) child.kill('SIGTERM')
    for (const { child } of writers) expect(await child.exited).toMatchObject({ code: 0, stderr: '' })
    const acknowledged = writers.map(({ notes }) => readAcknowledged(notes))
    for (const { single, grouped } of acknowledged) {
      expect(single.length).toBeGreaterThan(0)
      expect(grouped.length).toBeGreaterThan(0)
    }
    expectAllIsThere(file, acknowledged)
  },
)
