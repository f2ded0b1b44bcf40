import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { runContainer, signalContainer } from './docker.ts'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { findFreePort } from './free-port.ts'
import { guard } from './guard.ts'
import { REDIS_IMAGE, type RedisSource } from './redis-program.ts'

/** One run of a Redis server, from its start to its end. */
export interface RedisProcess {
  /** Undefined in a container. */
  readonly pid: number | undefined
  /** Sends a signal; after SIGKILL or SIGTERM resolves once the server has ended. */
  signal(signal: NodeJS.Signals): Promise<void>
}

/** What {@link runRedis} is told. */
export interface RedisRun {
  readonly source: RedisSource
  readonly port: number
  /** The server's private folder. */
  readonly folder: string
  readonly args: readonly string[]
  /** A file that the server reads first, and a Sentinel rewrites. Not in a container. */
  readonly configFile?: string | undefined
}

/**
 * Runs a Redis server on a port of 127.0.0.1, without persistence, and resolves once it answers.
 * @throws {TestKitError} ERR_SERVICE_FAILED with what the server wrote when it ends instead
 */
export async function runRedis(run: RedisRun): Promise<RedisProcess> {
  return run.source === 'docker' ? runInContainer(run) : runProgram(run.source.file, run.source.env, run)
}

/** {@link runRedis} on a port that was free a moment before; takes another one when it no longer is. */
export async function runRedisOnFreePort(
  run: Omit<RedisRun, 'port'>,
): Promise<{ run: RedisRun; server: RedisProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const complete = { ...run, port: await findFreePort() }
    try {
      return { run: complete, server: await runRedis(complete) }
    } catch (error) {
      // Somebody else took the port between the look and the start.
      if (attempt === 5 || !(error instanceof Error) || !error.message.includes('already in use')) throw error
    }
  }
}

function redisArguments({ port, args }: RedisRun): string[] {
  return ['--port', String(port), '--save', '', '--appendonly', 'no', '--daemonize', 'no', ...args]
}

async function runProgram(
  file: string,
  env: Readonly<Record<string, string>>,
  run: RedisRun,
): Promise<RedisProcess> {
  const config = run.configFile === undefined ? [] : [run.configFile]
  const args = [...config, ...redisArguments(run), '--bind', '127.0.0.1', '--dir', run.folder]
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    cwd: run.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const release = child.pid === undefined ? () => {} : guard({ pid: child.pid })
  const ended = once(child, 'exit').finally(release)
  // A failed spawn is reported by `output` and by the loop below, which looks at `child` itself.
  ended.catch(() => {})
  const output = lastOutput(child)
  while (!(await answers(run.port, child.pid))) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new TestKitError(TEST_KIT_ERROR_CODES.serviceFailed, `Redis did not start:\n${output()}`)
    }
    await sleep(5)
  }
  return {
    pid: child.pid,
    async signal(signal) {
      child.kill(signal)
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended
    },
  }
}

async function runInContainer(run: RedisRun): Promise<RedisProcess> {
  const publish = `127.0.0.1:${run.port}:${run.port}`
  const command = ['redis-server', ...redisArguments(run), '--protected-mode', 'no']
  const container = await runContainer(['--publish', publish, REDIS_IMAGE, ...command])
  const release = guard({ container })
  const deadline = performance.now() + 30_000
  while (!(await answers(run.port))) {
    if (performance.now() > deadline) {
      throw new TestKitError(
        TEST_KIT_ERROR_CODES.serviceFailed,
        `Redis in container ${container} does not answer`,
      )
    }
    await sleep(50)
  }
  return {
    pid: undefined,
    async signal(signal) {
      await signalContainer(container, signal)
      if (signal === 'SIGKILL' || signal === 'SIGTERM') release()
    },
  }
}

function lastOutput(child: ChildProcess): () => string {
  const lines: string[] = []
  const keep = (text: string) => {
    lines.push(text)
    if (lines.length > 50) lines.shift()
  }
  child.stdout?.on('data', (chunk: Buffer) => keep(chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => keep(chunk.toString()))
  child.once('error', (error) => keep(error.message))
  return () => lines.join('').trim()
}

/** Asks who answers on the port: another process's server may have been faster to take it. */
function answers(port: number, pid?: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () => socket.write('INFO server\r\n'))
    let reply = ''
    const done = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('data', (data) => {
      reply += data.toString()
      const found = /process_id:(\d+)\r/.exec(reply)
      if (found) done(pid === undefined || Number(found[1]) === pid)
      else if (reply.startsWith('-')) done(false)
    })
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
    socket.setTimeout(1000, () => done(false))
  })
}
