import { execFileSync } from 'node:child_process'

const isRoot = process.getuid?.() === 0

/**
 * What to put before a command so that it may mount what it likes, unseen by all others and gone at its end: `unshare`,
 * as root or in a user namespace. Undefined, and said on stderr, where that is not allowed.
 */
export function findNamespace(): readonly string[] | undefined {
  const unshare = isRoot ? ['unshare', '-m'] : ['unshare', '-Urm']
  const works = succeeds([...unshare, 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', '/mnt'])
  return works ? unshare : skip('on file systems of their own (unshare and mount are not allowed)')
}

/**
 * What to put before a command so that the rights of files hold for it, which they do not for root. Undefined, and said
 * on stderr, where that cannot be had.
 */
export function findOrdinaryRights(): readonly string[] | undefined {
  if (process.platform === 'win32') return skip('without rights (Windows has others)')
  if (!isRoot) return []
  const setpriv = ['setpriv', '--inh-caps=-all', '--bounding-set=-all']
  return succeeds([...setpriv, 'true']) ? setpriv : skip('without rights (root has all, and no setpriv)')
}

function succeeds([file = '', ...args]: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function skip(what: string): undefined {
  process.stderr.write(`SKIPPED: tests ${what}\n`)
}
