import { accessSync, constants, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * The folder for downloaded programs: OUTRIDER_CACHE_DIR, else `$XDG_CACHE_HOME/outrider`, else
 * `~/.cache/outrider`; where none of these can be written, a folder of this user below the temporary folder.
 * Created when absent.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['OUTRIDER_CACHE_DIR']
  if (own) {
    mkdirSync(own, { recursive: true })
    return resolve(own)
  }
  const { XDG_CACHE_HOME: xdg, HOME: home } = env
  const candidates = [xdg && join(xdg, 'outrider'), home && join(home, '.cache', 'outrider')]
  const usable = candidates.find((folder) => folder && isWritable(folder))
  if (usable) return resolve(usable)
  const fallback = join(tmpdir(), `outrider-cache-${process.getuid?.() ?? 'user'}`)
  mkdirSync(fallback, { recursive: true, mode: 0o700 })
  return fallback
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
