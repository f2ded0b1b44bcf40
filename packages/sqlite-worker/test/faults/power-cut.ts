import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Random } from './random.ts'
import { isSync, isWrite, type SystemCall } from './system-calls.ts'

/** A key that was acknowledged, and the call that said so. */
export interface Acknowledgement {
  readonly key: string
  readonly call: SystemCall
}

/** What `fixtures/fault-durable.ts` said. */
export function acknowledgements(calls: readonly SystemCall[]): Acknowledgement[] {
  return calls.flatMap((call) => {
    const key = /^acknowledged (\S+)\n$/.exec(call.data)?.[1]
    return key === undefined || call.name !== 'write' ? [] : [{ key, call }]
  })
}

/**
 * The keys that were acknowledged before their commit was on the disk: when no fsync or fdatasync of the log began after
 * the last write of that commit and ended before the acknowledgement.
 */
export function acknowledgedTooEarly(calls: readonly SystemCall[], log: string): string[] {
  const writes = calls.filter((call) => call.path === log && isWrite(call))
  const syncs = calls.filter((call) => call.path === log && isSync(call))
  const early = acknowledgements(calls).filter(({ key, call: acknowledgement }) => {
    const page = writes.findIndex(({ data }) => data.includes(key))
    if (page === -1) return true
    // a frame is two writes: its header, then its page
    const commit = writes.findIndex((write, index) => index >= page - 1 && isCommitHeader(write))
    const last = writes[commit + 1]
    if (commit === -1 || !last) return true
    return !syncs.some(({ began, ended }) => began > last.ended && ended < acknowledgement.began)
  })
  return early.map(({ key }) => key)
}

/** https://www.sqlite.org/fileformat.html#the_write_ahead_log: bytes 4 to 7 are 0 but in a commit's last frame. */
function isCommitHeader({ data, offset }: SystemCall): boolean {
  return offset >= 32 && data.length === 24 && data.slice(4, 8) !== '\0\0\0\0'
}

/** How many writes to the database file came before what they are copied from was on the disk, as part of the log. */
export function checkpointedTooEarly(calls: readonly SystemCall[], file: string): number {
  const log = `${file}-wal`
  let lastWrite = -1
  let syncedUpTo = -1
  let early = 0
  for (const call of calls) {
    if (call.path === log && isWrite(call)) lastWrite = call.ended
    if (call.path === log && isSync(call) && call.began > lastWrite) syncedUpTo = call.ended
    if (call.path === file && isWrite(call) && syncedUpTo < lastWrite) early += 1
  }
  return early
}

/**
 * The database as a power cut at the moment `at` could have left it: everything that was synced, and of all else a
 * random selection. Written into `folder`.
 */
export function cutPower(
  calls: readonly SystemCall[],
  { file, at, folder, random }: { file: string; at: number; folder: string; random: Random },
): string {
  mkdirSync(folder)
  for (const path of [file, `${file}-wal`]) {
    const disk = new Disk()
    for (const call of calls) {
      if (call.path !== path || call.began >= at) continue
      if (isSync(call) && call.ended < at) disk.sync()
      else if (!isSync(call)) disk.change(call)
    }
    writeFileSync(join(folder, basename(path)), disk.content(random))
  }
  return join(folder, basename(file))
}

/** One file: what is safe, and what may be lost. Holds for calls that do not overlap, as those of one thread. */
class Disk {
  #safe: Buffer = Buffer.alloc(0)
  #atRisk: SystemCall[] = []

  change(call: SystemCall): void {
    this.#atRisk.push(call)
  }

  sync(): void {
    for (const call of this.#atRisk.splice(0)) this.#safe = apply(this.#safe, call)
  }

  content(random: Random): Buffer {
    let content: Buffer = this.#safe
    const chance = random.next()
    for (const call of this.#atRisk) if (random.chance(chance)) content = apply(content, call)
    return content
  }
}

function apply(content: Buffer, { name, data, offset }: SystemCall): Buffer {
  if (name === 'ftruncate') return Buffer.concat([content, Buffer.alloc(offset)]).subarray(0, offset)
  const written = Buffer.from(data, 'latin1')
  const result = Buffer.alloc(Math.max(content.length, offset + written.length))
  content.copy(result)
  written.copy(result, offset)
  return result
}
