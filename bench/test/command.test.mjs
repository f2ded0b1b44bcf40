import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ours, oursUrl, versionOf } from '../lib/ours.mjs'

const file = fileURLToPath(new URL('../run.mjs', import.meta.url))

/** @returns {Promise<{code: number, stdout: string, stderr: string}>} */
function bench(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr })
    })
  })
}

describe('the command', () => {
  it('explains itself', async () => {
    const { code, stdout } = await bench('--help')
    expect(code).toBe(0)
    expect(stdout).toContain('Usage: pnpm bench <suite>')
  })
  it.each([
    [['nonsense'], /^Unknown suite nonsense\. Known: .*\brunner\b.*\n$/],
    [[], /^Expected one suite, got 0\. Known: .*\n$/],
    [['runner', '--no-install', '--case', 'none'], /^Unknown case none of suite runner\. Known: rate, .*\n$/],
    [['runner', '--pairs', '6'], /^Expected --pairs to be an integer >= 7, got 6\n$/],
    [['runner', '--chekc'], /^Unknown option '--chekc'/],
  ])('%j says in one line what is wrong, and exits 2', async (args, message) => {
    const { code, stderr } = await bench(...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
  it('does not list the suites that other suites run', async () => {
    expect((await bench('nonsense')).stderr).not.toContain('_floor')
  })
  it('passes a check that is met', async () => {
    expect((await bench('runner', '--no-install', '--check', '--case', 'self-measured')).code).toBe(0)
  })
})

describe('our packages', () => {
  it('are named by folder and subpath', async () => {
    expect(() => oursUrl('nonsense')).toThrow('There is no package nonsense')
    expect(() => oursUrl('relaycache/nonsense')).toThrow('relaycache does not export ./nonsense')
    await expect(ours('nonsense')).rejects.toThrow('There is no package nonsense')
  })
  it('state the versions they run on', () => {
    expect(versionOf('better-sqlite3', 'sqlite-worker')).toMatch(/^\d+\.\d+\.\d+/)
    expect(() => versionOf('nonsense')).toThrow('nonsense is not installed')
  })
})
