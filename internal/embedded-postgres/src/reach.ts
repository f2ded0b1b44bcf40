import { type Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerUser } from './server-user.ts'

/** Tells whether a user may pass through every folder above `path`; what does not exist yet is not looked at. */
export async function canReach(path: string, user: ServerUser | undefined): Promise<boolean> {
  if (!user) return true
  for (const folder of foldersAbove(await realOrNearest(path))) {
    const stats = await stat(folder).catch(() => undefined)
    if (stats && !mayPass(stats, user)) return false
  }
  return true
}

/** Tells whether a user may read and execute the program `file`. */
export async function canExecute(file: string, user: ServerUser | undefined): Promise<boolean> {
  const stats = await stat(file).catch(() => undefined)
  if (!stats) return false
  return !user || ((permissions(stats, user) & 5) === 5 && (await canReach(file, user)))
}

function mayPass(stats: Stats, user: ServerUser): boolean {
  return (permissions(stats, user) & 1) === 1
}

function permissions(stats: Stats, user: ServerUser): number {
  if (stats.uid === user.uid) return (stats.mode >> 6) & 7
  if (stats.gid === user.gid) return (stats.mode >> 3) & 7
  return stats.mode & 7
}

function foldersAbove(path: string): string[] {
  const above = dirname(path)
  return above === path ? [] : [...foldersAbove(above), above]
}

// Links count where they lead; the part that does not exist yet is appended as it is.
async function realOrNearest(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const above = dirname(path)
    return above === path ? path : join(await realOrNearest(above), path.slice(above.length))
  }
}
