import { existsSync, readFileSync, statSync } from 'node:fs'
import { eventually, type TestChild } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { expect } from 'vitest'

/** What `fixtures/fault-writer.ts` noted before it ended. */
export interface Acknowledged {
  readonly single: readonly string[]
  readonly grouped: readonly string[]
  readonly undone: readonly string[]
}

/** Reads its notes; a last line that was cut off counts as not noted. */
export function readAcknowledged(notes: string): Acknowledged {
  const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n').slice(0, -1) : []
  const keysOf = (kind: string): string[] =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  return { single: keysOf('single'), grouped: keysOf('grouped'), undone: keysOf('undone') }
}

/** Resolves once the notes of a child are so long, or it ended. */
export async function untilNoted(child: TestChild, notes: string, bytes: number): Promise<void> {
  const isLong = (): boolean => (statSync(notes, { throwIfNoEntry: false })?.size ?? 0) >= bytes
  await Promise.race([eventually(isLong, { timeoutMs: 150_000 }), child.exited])
}

/** Checks the file with plain better-sqlite3 against all that was acknowledged to whoever wrote it. */
export function expectAllIsThere(file: string, acknowledged: readonly Acknowledged[]): void {
  const db = new Database(file)
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    const all = (kind: keyof Acknowledged): string[] => acknowledged.flatMap((each) => each[kind])
    const keys = (sql: string): string[] => db.prepare<[], string>(sql).pluck().all()
    const single = new Set(keys('SELECT key FROM single'))
    expect({ lost: all('single').filter((key) => !single.has(key)) }).toEqual({ lost: [] })
    const grouped = new Set(keys('SELECT DISTINCT key FROM grouped'))
    expect({ lost: all('grouped').filter((key) => !grouped.has(key)) }).toEqual({ lost: [] })
    expect({ kept: all('undone').filter((key) => grouped.has(key)) }).toEqual({ kept: [] })
    expect({ doubled: keys('SELECT key FROM single GROUP BY key HAVING COUNT(*) > 1') }).toEqual({
      doubled: [],
    })
    const partial = 'SELECT key FROM grouped GROUP BY key HAVING COUNT(*) <> 3 OR COUNT(DISTINCT part) <> 3'
    expect({ partial: keys(partial) }).toEqual({ partial: [] })
    expect(db.prepare('SELECT SUM(amount) AS total FROM account').get()).toEqual({ total: 2000 })
  } finally {
    db.close()
  }
}
