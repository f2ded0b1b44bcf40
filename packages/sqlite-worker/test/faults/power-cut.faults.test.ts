import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { Synchronous } from '../../src/index.ts'
import { acknowledgedTooEarly, acknowledgements, checkpointedTooEarly, cutPower } from './power-cut.ts'
import { Random } from './random.ts'
import { runProgram } from './run-program.ts'
import { seedOf, sized } from './size.ts'
import {
  findTracer,
  isSync,
  isWrite,
  parseSystemCalls,
  straceOptions,
  type SystemCall,
} from './system-calls.ts'

const program = new URL('../fixtures/fault-durable.ts', import.meta.url)
const rounds = sized(3, 60)
const cuts = sized(20, 200)
const tracer = await findTracer()

interface Watched {
  readonly file: string
  readonly calls: readonly SystemCall[]
}

/** Runs the program under strace. Its files are gone afterwards: what it did to them is in the calls. */
async function watch(synchronous: Synchronous): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-worker-'))
  try {
    const [file, log] = [join(folder, 'test.db'), join(folder, 'strace.log')]
    const prefix = [...(tracer ?? []), ...straceOptions, '-o', log]
    const args = [file, inject('workerUrl'), synchronous, String(rounds)]
    expect(await runProgram(program, { prefix, args })).toMatchObject({ code: 0, stderr: '' })
    return { file, calls: parseSystemCalls(readFileSync(log, 'latin1')) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The keys acknowledged before each of many power cuts that are gone after it. */
function lostKeys({ file, calls }: Watched, random: Random): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-worker-'))
  const known = acknowledgements(calls)
  const first = known[0]?.call.began ?? 0
  const last = Math.max(...calls.map(({ began }) => began))
  const lost: string[] = []
  try {
    for (let cut = 0; cut < cuts; cut++) {
      const at = first + random.below(last - first) + 1
      const left = cutPower(calls, { file, at, folder: join(folder, String(cut)), random })
      const found = readKeys(left)
      lost.push(
        ...known.flatMap(({ key, call }) => (call.began < at && !found.has(key) ? [`${key} at ${at}`] : [])),
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return lost
}

function readKeys(file: string): ReadonlySet<string> {
  const db = new Database(file)
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    const hasTable = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 't'").get() !== undefined
    return new Set(hasTable ? db.prepare<[], string>('SELECT key FROM t').pluck().all() : [])
  } finally {
    db.close()
  }
}

describe.runIf(tracer)('a power cut, as the system calls show,', () => {
  const random = new Random(seedOf('power cut'))
  describe.each(['FULL', 'EXTRA'] as const)('with synchronous %s', (synchronous) => {
    let watched: Watched
    beforeAll(async () => {
      watched = await watch(synchronous)
    }, 150_000)

    it('comes after the sync of what was acknowledged, of each single write and of each transaction', () => {
      const { calls, file } = watched
      expect(acknowledgements(calls)).toHaveLength(rounds * 28)
      expect(acknowledgedTooEarly(calls, `${file}-wal`)).toEqual([])
    })

    it('finds the entry of the log in its folder', () => {
      const { calls, file } = watched
      const firstWrite = calls.find((call) => call.path === `${file}-wal` && isWrite(call))
      const folderSync = calls.find(
        (call) => call.path === dirname(file) && isSync(call) && call.began > (firstWrite?.began ?? 0),
      )
      expect(folderSync?.ended).toBeLessThan(acknowledgements(calls)[0]?.call.began ?? 0)
    })

    it(`loses nothing that was acknowledged, at ${cuts} random moments`, { timeout: 150_000 }, () => {
      expect(lostKeys(watched, random)).toEqual([])
    })
  })

  describe('with synchronous OFF, the control', () => {
    let watched: Watched
    beforeAll(async () => {
      watched = await watch('OFF')
    }, 150_000)

    it('would come before any sync: the check tells', () => {
      const { calls, file } = watched
      expect(calls.filter((call) => call.path === `${file}-wal` && isSync(call))).toEqual([])
      expect(acknowledgedTooEarly(calls, `${file}-wal`)).toHaveLength(rounds * 28)
      expect(checkpointedTooEarly(calls, file)).toBeGreaterThan(0)
    })
  })

  describe('with synchronous NORMAL', () => {
    let watched: Watched
    beforeAll(async () => {
      watched = await watch('NORMAL')
    }, 150_000)

    it(
      'takes what was acknowledged since the last checkpoint, for commits are not synced',
      { timeout: 150_000 },
      () => {
        const { calls, file } = watched
        expect(acknowledgedTooEarly(calls, `${file}-wal`)).toHaveLength(rounds * 28)
        expect(lostKeys(watched, random).length).toBeGreaterThan(0) // and never the integrity of the file
      },
    )

    it('never comes between a checkpoint and the sync of what it copies', () => {
      expect(checkpointedTooEarly(watched.calls, watched.file)).toBe(0)
    })
  })
})
