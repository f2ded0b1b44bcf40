import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { hasApt } from '../src/apt.ts'
import { cacheFolder } from '../src/cache-folder.ts'
import { spawnChild, temporaryDirectory } from '../src/index.ts'
import { findOnPath } from '../src/program.ts'

const apt = new URL('./fixtures/apt.ts', import.meta.url)

describe.runIf(await hasApt())('fetching Debian packages', () => {
  let folder: string
  let env: Record<string, string>
  beforeEach(async () => {
    const temporary = await temporaryDirectory()
    onTestFinished(() => temporary.remove())
    folder = temporary.path
    await mkdir(join(folder, 'bin'))
    await copyFile(new URL('./fixtures/apt-get', import.meta.url), join(folder, 'bin', 'apt-get'))
    await chmod(join(folder, 'bin', 'apt-get'), 0o755)
    await buildPackage(folder)
    env = {
      PATH: `${join(folder, 'bin')}:${dirname((await findOnPath('dpkg-deb')) ?? '')}:/bin`,
      OUTRIDER_CACHE_DIR: join(folder, 'cache'),
      FAKE_LOG: join(folder, 'log'),
      FAKE_DEB: join(folder, 'demo.deb'),
    }
  })

  it('happens once when two processes want it at once, and not again later', async () => {
    const first = await Promise.all([1, 2].map(() => spawnChild(apt, { env }).exited))
    const { stdout, stderr } = await spawnChild(apt, { env }).exited
    expect(first.map((end) => end.stdout)).toEqual([stdout, stdout])
    expect(await readFile(join(stdout, 'usr/share/demo'), 'utf8')).toBe('content\n')
    expect(await downloads(env)).toHaveLength(1)
    expect(first.map((end) => end.stderr).join('')).toContain(
      'Downloading demo for the tests: 1 packages, 0.0 MB',
    )
    expect(stderr).toBe('')
    // Nothing half-done is left.
    expect(await readdir(dirname(stdout))).toEqual(['demo'])
  })

  it('gets package lists of its own when those of the system are stale', async () => {
    const end = await spawnChild(apt, { env: { ...env, FAKE_STALE: '1' } }).exited
    expect(await readFile(join(end.stdout, 'usr/share/demo'), 'utf8')).toBe('content\n')
    const log = await readFile(join(folder, 'log'), 'utf8')
    expect(log).toMatch(/Dir::State=\S+cache\/apt\/state .*update/)
    expect(await downloads(env)).toHaveLength(2)
  })

  it('says what is missing when the package manager cannot deliver', async () => {
    const end = await spawnChild(apt, { env: { ...env, FAKE_DEB: join(folder, 'absent.deb') } }).exited
    expect(end.code).toBe(1)
    expect(end.stderr).toContain('apt-get cannot deliver demo')
  })
})

async function buildPackage(folder: string): Promise<void> {
  const root = join(folder, 'package')
  await mkdir(join(root, 'DEBIAN'), { recursive: true, mode: 0o755 })
  await mkdir(join(root, 'usr/share'), { recursive: true })
  await writeFile(join(root, 'usr/share/demo'), 'content\n')
  const control =
    'Package: demo\nVersion: 1:1.0-1\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\n'
  await writeFile(join(root, 'DEBIAN/control'), `${control}Description: demo\n`)
  execFileSync('dpkg-deb', ['--build', root, join(folder, 'demo.deb')], { stdio: 'ignore' })
}

async function downloads(env: Record<string, string>): Promise<string[]> {
  const log = await readFile(env['FAKE_LOG'] ?? '', 'utf8')
  return log.split('\n').filter((line) => line.includes(' download '))
}

describe('cacheFolder', () => {
  it('prefers what it is told, then the XDG folder, then the home, then the temporary folder', async () => {
    await using temporary = await temporaryDirectory()
    const at = (...names: string[]) => join(temporary.path, ...names)
    await mkdir(at('xdg'))
    await writeFile(at('file'), '')
    const env = { OUTRIDER_CACHE_DIR: at('own'), XDG_CACHE_HOME: at('xdg'), HOME: at('home') }
    expect(cacheFolder(env)).toBe(at('own'))
    expect(cacheFolder({ ...env, OUTRIDER_CACHE_DIR: '' })).toBe(at('xdg', 'outrider'))
    expect(cacheFolder({ HOME: at('home') })).toBe(at('home', '.cache', 'outrider'))
    // A home that cannot be written, and no home at all.
    vi.stubEnv('TMPDIR', temporary.path)
    onTestFinished(() => void vi.unstubAllEnvs())
    expect(cacheFolder({ HOME: at('file') })).toBe(at(`outrider-cache-${process.getuid?.()}`))
    expect(cacheFolder({ HOME: '' })).toBe(at(`outrider-cache-${process.getuid?.()}`))
  })
})
