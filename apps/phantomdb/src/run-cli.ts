import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { stopPostgres } from '@outrider/embedded-postgres'
import { postgresDir } from './engine/embedded.ts'
import { defaultDataDir, type Auth } from './options.ts'
import { findServer } from './server-file.ts'
import { startPhantomDB } from './start.ts'

/** The process around a command. */
export interface CliProcess {
  readonly env: Readonly<Record<string, string | undefined>>
  write(text: string): void
  writeError(text: string): void
  /** Resolves when the user asks the program to end. */
  stopRequested(): Promise<void>
}

const help = `Usage: phantomdb <command> [options]

Commands:
  serve   serve PostgreSQL over HTTP until it is told to stop
  stop    stop the server of a data folder, and its PostgreSQL

Options of serve:
  --data-dir DIR      where the data lives (default ${defaultDataDir})
  --url URL           use this PostgreSQL instead (default $DATABASE_URL, else the embedded one)
  --host HOST         the address to listen on (default 127.0.0.1)
  --port PORT         0 takes a free one (default 8080)
  --auth              generate a token, which server.json in the data folder holds
  --token-file FILE   require the token in this file

Options of stop:
  --data-dir DIR      as given to serve
`

/** A mistake in how the program was called. */
class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Runs a command line. Gives the exit status: 0, 1 for failures, 2 for wrong usage. */
export async function runCli(args: readonly string[], io: CliProcess): Promise<number> {
  try {
    const [command, ...rest] = args
    if (command === 'serve') await serve(rest, io)
    else if (command === 'stop') await stop(rest, io)
    else if (command === undefined || command === '--help' || command === '-h') io.write(help)
    else throw new UsageError(`Unknown command '${command}'`)
    return command === undefined ? 2 : 0
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const isUsage = error instanceof UsageError || error instanceof TypeError
    io.writeError(`phantomdb: ${message}${isUsage ? '; see phantomdb --help' : ''}\n`)
    return isUsage ? 2 : 1
  }
}

async function serve(args: string[], io: CliProcess): Promise<void> {
  const { values } = parse(args, {
    'data-dir': { type: 'string', default: defaultDataDir },
    url: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' },
    auth: { type: 'boolean' },
    'token-file': { type: 'string' },
  })
  const { port } = values
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new UsageError(`Expected --port to be a number`)
  const server = await startPhantomDB({
    dataDir: values['data-dir'],
    url: values.url ?? (io.env['DATABASE_URL'] || undefined),
    host: values.host,
    port: port === undefined ? undefined : Number(port),
    auth: await authOf(values),
    logger: {
      info: (message) => io.write(`${message}\n`),
      warn: (message) => io.writeError(`${message}\n`),
    },
  })
  await io.stopRequested()
  await server.close()
}

async function authOf(values: {
  auth?: boolean | undefined
  'token-file'?: string | undefined
}): Promise<Auth> {
  const file = values['token-file']
  if (file === undefined) return values.auth ? 'token' : 'none'
  return { token: (await readFile(file, 'utf8')).trim() }
}

async function stop(args: string[], io: CliProcess): Promise<void> {
  const { values } = parse(args, { 'data-dir': { type: 'string', default: defaultDataDir } })
  const dataDir = values['data-dir']
  const served = await findServer(dataDir)
  if (served) {
    process.kill(served.pid, 'SIGTERM')
    while (isRunning(served.pid)) await sleep(50)
  }
  // Also where the gateway was killed and its PostgreSQL lives on.
  await stopPostgres(postgresDir(dataDir))
  io.write(served ? `Stopped ${served.url}\n` : `Nothing serves ${dataDir}\n`)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function parse<T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; strict: true }>> {
  try {
    return parseArgs({ args, options, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split('. ', 1)[0] ?? '') : String(error))
  }
}
