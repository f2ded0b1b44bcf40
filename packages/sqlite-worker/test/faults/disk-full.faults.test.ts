import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openWorker, temporaryFile, workerUrl } from '../fixture.ts'
import { fillDisk } from './disk-full.ts'
import { findNamespace } from './namespace.ts'
import { runProgram } from './run-program.ts'
import { sized } from './size.ts'

const program = new URL('../fixtures/fault-disk.ts', import.meta.url)
const namespace = findNamespace()

// every one of these goes through `fillDisk`, which says what holds on a full disk
describe('what was acknowledged stays, what was rejected says why and is not there, and writes go on when there is room', () => {
  it('on a database that may not grow further (SQLITE_FULL)', { timeout: 60_000 }, async () => {
    const kilobytes = sized(600, 6000)
    const worker = openWorker({ executeInit: [`PRAGMA max_page_count = ${kilobytes / 4}`] })
    await fillDisk({
      worker,
      code: 'SQLITE_FULL',
      kilobytes: kilobytes * 2,
      makeRoom: async () => worker.execute('PRAGMA max_page_count = 1000000'),
    })
  })

  it.runIf(namespace)('on a full file system (ENOSPC, SQLITE_FULL)', { timeout: 120_000 }, async () => {
    const kilobytes = sized(1500, 12_000)
    const disk = join(dirname(temporaryFile()), 'disk')
    mkdirSync(disk)
    const script = `mount -t tmpfs -o size=${kilobytes}k tmpfs "$0" && exec "$@"`
    const end = await runProgram(program, {
      prefix: [...(namespace ?? []), 'sh', '-c', script, disk],
      args: [join(disk, 'test.db'), workerUrl().href, 'disk', String(kilobytes)],
    })
    expect(end).toMatchObject({ code: 0, stderr: '' })
  })

  it.skipIf(process.platform === 'win32')(
    'at the limit of the size of files (EFBIG, SQLITE_IOERR_WRITE)',
    { timeout: 60_000 },
    async () => {
      const kilobytes = 1000
      const end = await runProgram(program, {
        prefix: ['sh', '-c', `ulimit -S -f ${kilobytes * 2} && exec "$@"`, 'sh'], // in units of 512 bytes
        args: [temporaryFile(), workerUrl().href, 'limit', String(kilobytes)],
      })
      expect(end).toMatchObject({ code: 0, stderr: '' })
    },
  )
})
