import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { findChromium } from './chromium-program.ts'
import { guard } from './guard.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Starts a headless Chromium. End it with `browser.close()`; it ends with this process at the latest, however that
 * ends.
 * @throws {TestKitError} ERR_SERVICE_MISSING when there is no Chromium
 */
export async function launchBrowser(): Promise<Browser> {
  const { file, env } = await findChromium()
  // Chromium writes into its user's home and leaves files in the temporary folder.
  const home = await temporaryDirectory()
  // Loading Playwright takes half a second, which tests without a browser need not wait for.
  const { chromium } = await import('playwright-core')
  const artifactsDir = join(home.path, 'artifacts')
  await mkdir(artifactsDir)
  const browser = await chromium
    .launch({
      executablePath: file,
      args: flags,
      env: { ...process.env, ...env, HOME: home.path, TMPDIR: home.path },
      artifactsDir,
    })
    .catch(async (error: unknown) => {
      await home.remove()
      throw error
    })
  // Chromium ends by itself when the pipe to this process breaks; the guard also covers one that hangs, and removes
  // its profile.
  const release = (await findBrowserProcesses()).map(({ pid, profile }) => {
    guardedPids.add(pid)
    return guard({ pid, group: true, removeDir: profile })
  })
  browser.once('disconnected', () => {
    for (const end of release) end()
    void home.remove()
  })
  return browser
}

const guardedPids = new Set<number>()

// Playwright does not tell the process id, so look among the children of this process, where there is /proc.
async function findBrowserProcesses(): Promise<{ pid: number; profile: string }[]> {
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0)
  const found = await Promise.all(pids.filter((pid) => !guardedPids.has(pid)).map((pid) => inspect(pid)))
  return found.filter((browser) => browser !== undefined)
}

async function inspect(pid: number): Promise<{ pid: number; profile: string } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    if (parent !== process.pid) return undefined
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    const profile = /(?:^|\0)--user-data-dir=([^\0]*playwright_[^\0]+)/.exec(command)?.[1]
    return profile === undefined ? undefined : { pid, profile }
  } catch {
    return undefined
  }
}
