import { mkdtemp, rm } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    workerUrl: string
  }
}

/** Node 20 cannot load a TypeScript worker: bundles today's sources, never a stale dist, beside node_modules. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(fileURLToPath(new URL('../node_modules/.worker-', import.meta.url)))
  const outfile = `${folder}/worker.mjs`
  await build({
    entryPoints: [fileURLToPath(new URL('../src/worker/main.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
  })
  project.provide('workerUrl', pathToFileURL(outfile).href)
  return () => rm(folder, { recursive: true })
}
