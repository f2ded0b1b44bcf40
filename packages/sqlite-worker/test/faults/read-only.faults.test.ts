import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openWorker, temporaryFile, workerUrl } from '../fixture.ts'
import { findNamespace, findOrdinaryRights } from './namespace.ts'
import { runProgram, type ProgramEnd } from './run-program.ts'

const program = new URL('../fixtures/fault-read-only.ts', import.meta.url)
const namespace = findNamespace()
const ordinaryRights = findOrdinaryRights()

function answers({ stdout, ...end }: ProgramEnd): Record<string, unknown> {
  expect(end).toMatchObject({ code: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  return Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, unknown]))
}

const refusedAtOpen = (sqliteCode: string): object => ({
  read: `ERR_OPEN ${sqliteCode}`,
  writes: [`ERR_OPEN ${sqliteCode}`],
})

/** A log cannot be made, and without one a file in WAL cannot even be read. */
const withoutLog = /^ERR_OPEN SQLITE_(READONLY_DIRECTORY|READONLY_CANTINIT|CANTOPEN)$/

describe('what may not be written answers with the reason, one by one, together and in a transaction', () => {
  it.runIf(ordinaryRights)('for want of rights', async () => {
    const folder = dirname(temporaryFile())
    onTestFinished(() => {
      for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o755)
    })
    const args = [folder, workerUrl().href, 'rights']
    expect(answers(await runProgram(program, { prefix: ordinaryRights ?? [], args }))).toEqual({
      'a file in WAL': { read: 'rows', writes: ['ERR_STATEMENT SQLITE_READONLY'] },
      'a file in another journal mode': refusedAtOpen('SQLITE_READONLY'),
      'a file whose folder takes no log': {
        read: expect.stringMatching(withoutLog),
        writes: [expect.stringMatching(withoutLog)],
      },
      'a file that may not be read': refusedAtOpen('SQLITE_CANTOPEN'),
      'a new file where none may be made': refusedAtOpen('SQLITE_CANTOPEN'),
    })
  })

  it.runIf(namespace)('on a read-only file system', async () => {
    const folder = join(dirname(temporaryFile()), 'disk')
    mkdirSync(folder)
    const mounted = ['sh', '-c', 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"', folder]
    const prefix = [...(namespace ?? []), ...mounted]
    const args = [folder, workerUrl().href, 'mount']
    const all = answers(await runProgram(program, { prefix, args }))
    expect(all).toMatchObject({
      'a file in another journal mode': refusedAtOpen('SQLITE_READONLY'),
      'a new file where none may be made': refusedAtOpen('SQLITE_CANTOPEN'),
    })
    expect(all['a file in WAL']).toMatchObject({ read: expect.stringMatching(withoutLog) })
  })
})

describe('what cannot be opened answers with the reason, and close works', () => {
  it.each([
    ['a folder', (base: string): string => (mkdirSync(base), base)],
    ['a file in a file', (base: string): string => (writeFileSync(base, ''), join(base, 'test.db'))],
    ['a file in no folder', (base: string): string => join(base, 'none', 'test.db')],
  ])('%s', async (_, make) => {
    const worker = openWorker({ file: make(temporaryFile()) })
    await expect(worker.execute('SELECT 1')).rejects.toMatchObject({ name: 'OpenError', code: 'ERR_OPEN' })
    await expect(worker.insert('t', { a: 1 })).rejects.toMatchObject({ code: 'ERR_OPEN' })
    await worker.close()
  })
})
