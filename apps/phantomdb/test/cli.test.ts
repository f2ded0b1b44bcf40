import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { runCli } from '../src/run-cli.ts'

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const text = { out: '', err: '' }
  const status = await runCli(args, {
    env: {},
    write: (chunk) => (text.out += chunk),
    writeError: (chunk) => (text.err += chunk),
    stopRequested: async () => {},
  })
  return { status, ...text }
}

it('explains itself', async () => {
  expect(await run('--help')).toMatchObject({
    status: 0,
    out: expect.stringContaining('--data-dir') as string,
  })
  expect(await run()).toMatchObject({ status: 2, out: expect.stringContaining('Usage') as string })
})

it.each([
  [['sevre'], "Unknown command 'sevre'"],
  [['serve', '--prot', '1'], "Unknown option '--prot'"],
  [['serve', 'here'], "Unexpected argument 'here'"],
  [['serve', '--port', 'many'], 'Expected --port to be a number'],
  [['serve', '--port'], "Option '--port <value>' argument missing"],
  [['serve', '--url', 'mysql://x'], 'Expected url to be a postgres:// URL'],
  [['stop', '--port', '1'], "Unknown option '--port'"],
])('%j is wrong usage, told in one line', async (args, message) => {
  const { status, out, err } = await run(...args)
  expect({ status, out }).toEqual({ status: 2, out: '' })
  expect(err).toContain(message)
  expect(err).toMatch(/^phantomdb: .*\n$/)
})

it.each([
  [['serve', '--host', '0.0.0.0'], 'only loopback'],
  [['serve', '--token-file', '/nowhere/token'], 'ENOENT'],
  [['serve', '--url', 'postgres://nobody@127.0.0.1:1/none', '--port', '0'], 'PostgreSQL cannot be reached'],
])('%j fails, told in one line', async (args, message) => {
  await using folder = await temporaryDirectory()
  const { status, err } = await run(...args, '--data-dir', join(folder.path, 'data'))
  expect(status).toBe(1)
  expect(err).toContain(message)
  expect(err).toMatch(/^phantomdb: .*\n$/)
})

it('refuses a token that is too short', async () => {
  await using folder = await temporaryDirectory()
  const file = join(folder.path, 'token')
  await writeFile(file, 'short\n')
  const { status, err } = await run('serve', '--token-file', file, '--data-dir', folder.path)
  expect(status).toBe(2)
  expect(err).not.toContain('short')
})

it('has nothing to stop where nothing runs', async () => {
  await using folder = await temporaryDirectory()
  const dataDir = join(folder.path, 'data')
  expect(await run('stop', '--data-dir', dataDir)).toEqual({
    status: 0,
    out: `Nothing serves ${dataDir}\n`,
    err: '',
  })
})
