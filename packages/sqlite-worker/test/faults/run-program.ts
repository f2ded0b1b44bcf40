import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ProgramEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a TypeScript program to its end behind another one, such as `strace` or `unshare`, which is what `spawnChild`
 * cannot do. Killed with all it started when it has not ended after two minutes.
 */
export function runProgram(
  script: URL,
  { prefix = [], args = [] }: { prefix?: readonly string[]; args?: readonly string[] },
): Promise<ProgramEnd> {
  const loader = import.meta.resolve('@outrider/tsconfig/typescript-loader')
  const [file = '', ...rest] = [
    ...prefix,
    process.execPath,
    '--import',
    loader,
    fileURLToPath(script),
    ...args,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const timer = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 120_000)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout, stderr })
    })
  })
}
