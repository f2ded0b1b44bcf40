import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { aptFolder, hasApt, libraryPath } from './apt.ts'
import { cacheFolder } from './cache-folder.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findOnPath, isExecutable, runsWell, type Program } from './program.ts'

/**
 * Finds Chromium: CHROMIUM_PATH, else `chromium` or Google Chrome on PATH or in macOS' applications, else
 * Playwright's own download where it is there, else (Debian) the distribution's package fetched into the cache.
 * @throws {TestKitError} ERR_SERVICE_MISSING naming what to do when there is none of these
 */
export async function findChromium(): Promise<Program> {
  const named = process.env['CHROMIUM_PATH']
  if (named) {
    if (await isExecutable(named)) return { file: named, env: {} }
    throw missing(`CHROMIUM_PATH names ${named}, which cannot be run`)
  }
  const file =
    (await findOnPath(...names)) ?? (await firstExecutable(applications)) ?? (await playwrightDownload())
  if (file !== undefined) return { file, env: {} }
  let reason = 'there is no Chromium and no Google Chrome on PATH'
  if (await hasApt()) {
    try {
      return await chromiumFromApt()
    } catch (error) {
      reason += `, and ${error instanceof Error ? error.message : String(error)}`
    }
  }
  throw missing(reason)
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const applications = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

async function playwrightDownload(): Promise<string | undefined> {
  const { chromium } = await import('playwright-core')
  return firstExecutable([chromium.executablePath()])
}

async function firstExecutable(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if (file !== '' && (await isExecutable(file))) return file
  return undefined
}

async function chromiumFromApt(): Promise<Program> {
  const folder = await aptFolder(['chromium', 'fonts-dejavu-core'], async (path) =>
    runsWell(await programIn(path), '--version'),
  )
  const program = await programIn(folder)
  return { ...program, env: { ...program.env, FONTCONFIG_FILE: await fontsConfiguration(folder) } }
}

// The binary itself: the package's own start script looks for files of an installed package.
async function programIn(folder: string): Promise<Program> {
  return {
    file: join(folder, 'usr/lib/chromium/chromium'),
    env: { LD_LIBRARY_PATH: await libraryPath(folder) },
  }
}

/** Fonts are found through absolute paths of a configuration, which nobody installed: so write one. */
async function fontsConfiguration(folder: string): Promise<string> {
  const file = join(folder, 'fonts.conf')
  if (await stat(file).catch(() => undefined)) return file
  const cache = join(cacheFolder(), 'fontconfig')
  await mkdir(cache, { recursive: true })
  const draft = `${file}.${crypto.randomUUID()}`
  await writeFile(
    draft,
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>${escape(join(folder, 'usr/share/fonts'))}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${escape(cache)}</cachedir>
  ${['sans-serif', 'serif', 'monospace'].map(alias).join('\n  ')}
</fontconfig>
`,
  )
  await rename(draft, file)
  return file
}

function alias(family: string): string {
  const font = { 'sans-serif': 'DejaVu Sans', serif: 'DejaVu Serif', monospace: 'DejaVu Sans Mono' }[family]
  return `<alias><family>${family}</family><prefer><family>${font}</family></prefer></alias>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function missing(reason: string): TestKitError {
  return new TestKitError(
    TEST_KIT_ERROR_CODES.serviceMissing,
    `These tests need Chromium, but ${reason}. Do one of these:
  - install it with your package manager (brew install --cask chromium, apt-get install chromium, ...)
  - let Playwright fetch one: npx playwright install --with-deps chromium
  - name one in CHROMIUM_PATH=/path/to/chrome, or do without: SKIP_SERVICES=chromium`,
  )
}
