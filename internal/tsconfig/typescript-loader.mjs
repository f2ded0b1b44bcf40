// `node --import` this file to run TypeScript: plain Node 20 cannot. spawnChild does so for scripts that end in `.ts`.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread, threadId } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

const cache = new URL('./node_modules/.cache/typescript/', import.meta.url)

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const text = await readFile(fileURLToPath(url), 'utf8')
  const file = new URL(`${createHash('sha256').update(text).digest('hex')}.js`, cache)
  const source = await readFile(file, 'utf8').catch(() => transpile(text, file))
  return { format: 'module', source, shortCircuit: true }
}

// Loading the compiler takes longer than most scripts run, so its output is kept.
async function transpile(text, file) {
  const { default: typescript } = await import('typescript')
  const { outputText } = typescript.transpileModule(text, {
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: typescript.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  })
  const draft = new URL(`${file.href}.${process.pid}.${threadId}`)
  try {
    await mkdir(cache, { recursive: true })
    await writeFile(draft, outputText)
    await rename(draft, file)
  } catch {
    // A checkout that this user cannot write works all the same.
  }
  return outputText
}
