import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { TestKitError, TEST_KIT_ERROR_CODES } from './errors.ts'
import { guard } from './guard.ts'

/** How a child process ended. */
export interface ChildExit {
  /** The exit status; null after a signal. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A child process that stops, or is killed, at named points. */
export interface TestChild extends AsyncDisposable {
  readonly pid: number
  /** How it ended; never rejects. */
  readonly exited: Promise<ChildExit>
  /** What it wrote to standard output so far. */
  readonly stdout: string
  /**
   * Resolves once the child has reached a point, for points already reached at once.
   * @throws {TestKitError} ERR_CHILD_ENDED when it ends before, with what it wrote to stderr
   */
  waitFor(point: string): Promise<void>
  /** Arms the next time the child reaches a point: it is killed by SIGKILL there, before it goes on. */
  killAt(point: string): void
  /** Sends a signal and, if it is one that ends the child, leaves the waiting to `exited`. @default SIGKILL */
  kill(signal?: NodeJS.Signals): void
}

/** What {@link spawnChild} takes. */
export interface SpawnChildOptions {
  args?: readonly string[]
  /** Added to the own environment; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>
  /** Options of Node itself. @default [] */
  execArgv?: readonly string[]
  /** @default the own working directory */
  cwd?: string
  /** Points to arm before the child starts, see `killAt`. */
  killAt?: readonly string[]
}

/**
 * Starts a script (a path, or a `file:` URL; JavaScript, or TypeScript when it ends in `.ts`) in a Node process of
 * its own. The script may import `reach` from
 * `@outrider/test-kit/child` and name the points it passes. The child ends with this process at the latest.
 */
export function spawnChild(script: string | URL, options: SpawnChildOptions = {}): TestChild {
  const file = typeof script === 'string' && !script.startsWith('file:') ? script : fileURLToPath(script)
  const loader = file.endsWith('.ts')
    ? ['--import', import.meta.resolve('@outrider/tsconfig/typescript-loader')]
    : []
  const args = [...loader, ...(options.execArgv ?? []), file, ...(options.args ?? [])]
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...options.env, OUTRIDER_TEST_PARENT: String(process.pid) },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const release = child.pid === undefined ? () => {} : guard({ pid: child.pid })
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
  const exited = waitForEnd(child, output).finally(release)
  const { waitFor, killAt } = followPoints(child, exited, options.killAt ?? [])
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal)
  }
  return {
    pid: child.pid ?? 0,
    exited,
    get stdout() {
      return output.stdout
    },
    waitFor,
    killAt,
    kill,
    async [Symbol.asyncDispose]() {
      kill()
      await exited
    },
  }
}

function followPoints(
  child: ChildProcess,
  exited: Promise<ChildExit>,
  armedPoints: readonly string[],
): Pick<TestChild, 'waitFor' | 'killAt'> {
  const armed = new Set(armedPoints)
  const reached = new Set<string>()
  const waiting = new Map<string, (() => void)[]>()
  child.on('message', (message) => {
    if (!isReached(message)) return
    const { id, point } = message
    reached.add(point)
    for (const resolve of waiting.get(point) ?? []) resolve()
    waiting.delete(point)
    if (armed.delete(point)) child.kill('SIGKILL')
    else child.send({ type: 'outrider:go-on', id }, () => {})
  })
  return {
    killAt(point) {
      armed.add(point)
    },
    async waitFor(point) {
      if (reached.has(point)) return
      const arrival = new Promise<void>((resolve) => {
        waiting.set(point, [...(waiting.get(point) ?? []), resolve])
      })
      const end = await Promise.race([arrival, exited])
      if (!end || reached.has(point)) return
      throw new TestKitError(
        TEST_KIT_ERROR_CODES.childEnded,
        `The child ended (${end.signal ?? `status ${end.code}`}) before it reached ${point}:\n${end.stderr}`,
      )
    },
  }
}

function waitForEnd(child: ChildProcess, output: { stdout: string; stderr: string }): Promise<ChildExit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      output.stderr += error.message
      if (child.pid === undefined) resolve({ code: null, signal: null, ...output })
    })
    child.once('close', (code, signal) => resolve({ code, signal, ...output }))
  })
}

interface Reached {
  type: 'outrider:reached'
  id: number
  point: string
}

function isReached(message: unknown): message is Reached {
  if (typeof message !== 'object' || message === null) return false
  return 'type' in message && message.type === 'outrider:reached' && 'point' in message && 'id' in message
}
