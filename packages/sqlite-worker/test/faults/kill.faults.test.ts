import { spawnChild } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { temporaryFile, workerUrl } from '../fixture.ts'
import { expectAllIsThere, readAcknowledged, untilNoted, type Acknowledged } from './acknowledged.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

const writer = new URL('../fixtures/fault-writer.ts', import.meta.url)
const kills = sized(3, 20)

it(
  `all that was acknowledged is there after ${kills} kills, and no part of what was not`,
  {
    timeout: 180_000,
  },
  async () => {
    const random = new Random(seedOf('kill -9'))
    const file = temporaryFile()
    const acknowledged: Acknowledged[] = []
    for (let kill = 0; kill < kills; kill++) {
      const notes = `${file}.run${kill}`
      const args = [file, workerUrl().href, notes, `run${kill}`, String(random.below(2 ** 31))]
      await using child = spawnChild(writer, { args })
      // some while it starts and recovers, the others anywhere within their work
      const isEarly = kill > 0 && random.chance(0.2)
      await untilNoted(child, notes, isEarly ? 0 : 1 + random.below(200_000))
      await new Promise((resolve) => setTimeout(resolve, random.below(isEarly ? 500 : 20)))
      child.kill('SIGKILL')
      const { signal, stderr } = await child.exited
      expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' })
      acknowledged.push(readAcknowledged(notes))
      expectAllIsThere(file, acknowledged)
    }
    const counted = acknowledged.flatMap(({ single, grouped }) => [...single, ...grouped]).length
    process.stderr.write(`kill -9: ${counted} acknowledgements of ${kills} runs are there\n`)
    expect(counted).toBeGreaterThan(0)
  },
)
