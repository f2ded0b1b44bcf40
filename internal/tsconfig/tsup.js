import { rmSync } from 'node:fs'
import { defineConfig } from 'tsup'

/**
 * The build of a published package: ESM and CJS with their own type files.
 *
 * @param {Record<string, string>} entry output name to source
 * @param {Record<string, string>} [threads] the same for worker scripts: ESM only, without types
 */
export function library(entry, threads = {}) {
  rmSync('dist', { recursive: true, force: true }) // tsup's own clean would race between the two configurations
  const esbuildOptions = (options) => {
    options.sourcesContent = false // `src` is in the package
  }
  const shared = { target: 'node20', sourcemap: true, shims: true, splitting: true, esbuildOptions }
  const main = {
    ...shared,
    entry,
    format: ['esm', 'cjs'],
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  }
  const worker = { ...shared, entry: threads, format: ['esm'] }
  return defineConfig(Object.keys(threads).length > 0 ? [main, worker] : [main])
}
