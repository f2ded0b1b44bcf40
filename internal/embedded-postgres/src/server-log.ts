import { chown, open, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerUser } from './server-user.ts'

/** The server's log file inside its data folder. */
export const LOG_FILE = 'server.log'
const rotateBytes = 8 * 1024 * 1024
const tailBytes = 8 * 1024

/** Makes the log ready for a start (keeping one older file once it is large) and returns its size in bytes. */
export async function prepareLog(dataDir: string, user: ServerUser | undefined): Promise<number> {
  const file = join(dataDir, LOG_FILE)
  const size = await sizeOf(file)
  if (size > rotateBytes) await rename(file, `${file}.1`)
  await writeFile(file, '', { flag: 'a', mode: 0o600 })
  if (user) await chown(file, user.uid, user.gid)
  return size > rotateBytes ? 0 : size
}

/** The last lines written to the log after `offset` bytes: at most 20 lines and 8 KiB. */
export async function logTail(dataDir: string, offset: number): Promise<string> {
  const file = join(dataDir, LOG_FILE)
  const start = Math.max(offset, (await sizeOf(file)) - tailBytes)
  const handle = await open(file).catch(() => undefined)
  if (!handle) return ''
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(tailBytes), position: start })
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-20).join('\n')
  } finally {
    await handle.close()
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}
