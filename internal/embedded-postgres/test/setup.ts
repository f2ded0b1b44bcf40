import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, type ClientConfig } from 'pg'
import { onTestFinished } from 'vitest'
import { stopPostgres } from '../src/index.ts'

/** A fresh path for a data folder; at the end of the test its server is stopped and it is removed. */
export async function freshDataDir(name = 'data'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-pgtest-'))
  const dataDir = join(folder, name)
  onTestFinished(async () => {
    await stopPostgres(dataDir).catch(() => {})
    await rm(folder, { recursive: true, force: true })
  })
  // Nobody but root may pass through what mkdtemp makes.
  await chmod(folder, 0o755)
  return dataDir
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
}

/** Runs one statement on a connection of its own and returns the rows. */
export async function query(target: string | ClientConfig, sql: string): Promise<unknown[]> {
  const client = new Client(target)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** What a child process of `fixtures/start.mjs` said. */
export interface ChildReport {
  pid: number
  adopted: boolean
  uid: number
  url: string
  code?: string
  message?: string
}

/** Starts a server in a process of its own, which then stays, dies by SIGKILL or stops the server. */
export async function startInChild(
  dataDir: string,
  then: 'stay' | 'die' | 'stop',
  ids: { uid?: number; gid?: number } = {},
): Promise<{ report: ChildReport; kill(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      import.meta.resolve('@outrider/tsconfig/typescript-loader'),
      fixture('start.mjs'),
      dataDir,
      then,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], ...ids, cwd: '/' },
  )
  const ended = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  let output = ''
  for await (const chunk of child.stdout) {
    output += String(chunk)
    if (output.includes('\n')) break
  }
  if (then !== 'stay') await ended
  return { report: parseReport(output), kill }
}

function parseReport(output: string): ChildReport {
  const report: ChildReport = JSON.parse(output)
  return report
}
