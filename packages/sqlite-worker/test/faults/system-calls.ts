import { findStrace, skipped, TestKitError } from '@outrider/test-kit'

/** One system call on a file as `strace -f -y` writes it down. */
export interface SystemCall {
  readonly name: string
  readonly path: string
  /** What was written, one character a byte. */
  readonly data: string
  readonly offset: number
  /** Where in the order of all beginnings and ends it began. */
  readonly began: number
  /** Where it ended; Infinity when it never did. */
  readonly ended: number
}

/**
 * What to put before {@link straceOptions} and a command to watch it: strace. Undefined, and said on stderr, where there
 * is none, which is everywhere but on Linux, and where it is not allowed to watch.
 */
export async function findTracer(): Promise<readonly string[] | undefined> {
  if (skipped('strace')) return undefined
  try {
    const { file, env } = await findStrace()
    return ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), file]
  } catch (error) {
    if (!(error instanceof TestKitError)) throw error
    process.stderr.write(`SKIPPED: tests of power cuts. ${error.message}\n`)
    return undefined
  }
}

/** The options that {@link parseSystemCalls} relies on. */
export const straceOptions: readonly string[] = [
  '-f',
  '-y',
  '-s',
  '65536',
  '-e',
  'signal=none',
  '-e',
  'trace=write,pwrite64,fsync,fdatasync,ftruncate',
]

const callLine = /^(?<pid>\d+) +(?<name>\w+)\(\d+<(?<path>[^>]*)>(?<rest>[\s\S]*)$/
const resumedLine = /^(?<pid>\d+) +<\.\.\. \w+ resumed>(?<rest>[\s\S]*)$/

/** Reads a log of strace, in the order in which the calls began. Calls that failed are left out. */
export function parseSystemCalls(log: string): SystemCall[] {
  const begun: { call: SystemCall; rest: string }[] = []
  const unfinished = new Map<string, number>()
  for (const [at, line] of log.split('\n').entries()) {
    const resumed = resumedLine.exec(line)?.groups
    if (resumed) {
      const index = unfinished.get(resumed['pid'] ?? '')
      unfinished.delete(resumed['pid'] ?? '')
      const entry = index === undefined ? undefined : begun[index]
      if (!entry || index === undefined) continue
      begun[index] = { call: { ...entry.call, ended: at }, rest: entry.rest + (resumed['rest'] ?? '') }
      continue
    }
    const { pid = '', name = '', path = '', rest = '' } = callLine.exec(line)?.groups ?? {}
    if (name === '') continue
    const isUnfinished = rest.endsWith('<unfinished ...>')
    if (isUnfinished) unfinished.set(pid, begun.length)
    const call = { name, path, data: '', offset: 0, began: at, ended: isUnfinished ? Infinity : at }
    begun.push({ call, rest: rest.replace(/ ?<unfinished \.\.\.>$/, '') })
  }
  return begun.filter(({ rest }) => !/= -1 \w+/.test(rest.slice(-100))).map(complete)
}

function complete({ call, rest }: { call: SystemCall; rest: string }): SystemCall {
  const written = /^, "((?:[^"\\]|\\[\s\S])*)"(?:, \d+)?(?:, (\d+))?/.exec(rest)
  if (written) return { ...call, data: unescape(written[1] ?? ''), offset: Number(written[2] ?? 0) }
  return { ...call, offset: Number(/^, (\d+)/.exec(rest)?.[1] ?? 0) }
}

const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' }

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{1,3}|[\s\S])/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (named[code] ?? code),
  )
}

export const isSync = ({ name }: SystemCall): boolean => name === 'fsync' || name === 'fdatasync'

export const isWrite = ({ name }: SystemCall): boolean => name === 'pwrite64' || name === 'write'
