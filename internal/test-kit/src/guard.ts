import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { processStartTime } from '@outrider/embedded-postgres/process'

/** What is to end with this process. */
export interface Guarded {
  /** A process to kill. */
  pid?: number
  /** Kill its whole process group. The process must lead one. */
  group?: boolean
  /** A container to remove with `docker rm --force`. */
  container?: string
  /** A folder whose PostgreSQL server is to be stopped, also one that only just starts. */
  postgresDataDir?: string
  /** A folder to remove, after all processes. */
  removeDir?: string
}

/**
 * Makes sure that something ends with this process, also when this process is killed: a small watching process
 * does it then. Returns the function that ends the watch, to be called after an orderly end.
 */
export function guard(thing: Guarded): () => void {
  const id = ++lastId
  const startTime = thing.pid === undefined ? undefined : processStartTime(thing.pid)
  send({ op: 'add', id, startTime, ...thing })
  return () => send({ op: 'remove', id })
}

let lastId = 0
let send: (message: object) => void = (message) => {
  send = startGuard()
  send(message)
}

function startGuard(): (message: object) => void {
  const script = fileURLToPath(new URL('./guard.mjs', import.meta.url))
  // Detached, so that Ctrl-C in the terminal and the end of this process group leave it to its work.
  const child = spawn(process.execPath, [script], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  })
  child.unref()
  const { stdin } = child
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  // Nobody can be told that the guard is gone: the services still end in their `stop()`.
  stdin.on('error', () => {})
  const write = (message: object) => {
    stdin.write(`${JSON.stringify(message)}\n`)
  }
  // A worker of vitest's goes on when vitest is killed, as long as a service of its holds it: so watch vitest, too.
  if (process.env['VITEST'] && process.connected) {
    const parent = { pid: process.ppid, startTime: processStartTime(process.ppid) }
    const worker = { pid: process.pid, startTime: processStartTime(process.pid) }
    write({ op: 'watch', parent, worker })
  }
  return write
}
