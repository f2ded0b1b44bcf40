import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findOnPath } from './program.ts'

const execute = promisify(execFile)

/** Tells whether containers can be run: the client is on PATH and a daemon answers. */
export async function hasDocker(): Promise<boolean> {
  if (!(await findOnPath('docker'))) return false
  return execute('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 }).then(
    () => true,
    () => false,
  )
}

/** Starts a container in the background that removes itself at its end, and returns its id. */
export async function runContainer(args: readonly string[]): Promise<string> {
  return (await execute('docker', ['run', '--rm', '--detach', ...args])).stdout.trim()
}

/** Sends a signal to the main process of a container. */
export async function signalContainer(id: string, signal: NodeJS.Signals): Promise<void> {
  await execute('docker', ['kill', '--signal', signal, id])
}
