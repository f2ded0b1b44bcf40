import { CheckFailure, root, run } from './command.mjs'

/** @import {Tarball} from './tarball.mjs' */

/** @param {Tarball} tarball */
export async function publint({ file }) {
  try {
    await run('publint', ['run', file, '--strict'], { cwd: root })
  } catch (error) {
    throw new CheckFailure(error.message.replaceAll(/^(?:Running|Unpacking|Linting).*\n/gm, ''), {
      cause: error,
    })
  }
}

/**
 * Are the types wrong? The profile `strict` covers every way to resolve a module: node10, node16 from ESM and
 * from CommonJS, and bundlers.
 *
 * @param {Tarball} tarball
 */
export async function attw({ file }) {
  const args = [file, '--profile', 'strict', '--format', 'json', '--no-definitely-typed']
  try {
    await run('attw', args, { cwd: root })
  } catch (error) {
    const { problems } = parsed(error)
    const lines = Object.values(problems).flat().map(describeProblem)
    throw new CheckFailure([...new Set(lines)].join('\n'), { cause: error })
  }
}

/** @param {any} error of attw; without its JSON it did not come to a verdict */
function parsed(error) {
  try {
    return JSON.parse(error.stdout)
  } catch {
    throw error
  }
}

/** @param {{kind: string, entrypoint?: string, resolutionKind?: string}} problem */
function describeProblem({ kind, entrypoint, resolutionKind, ...rest }) {
  const where = entrypoint === undefined ? JSON.stringify(rest) : `${entrypoint} (${resolutionKind})`
  return `${kind}: ${where}`
}
