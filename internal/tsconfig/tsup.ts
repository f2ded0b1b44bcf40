import { defineConfig, type Options } from 'tsup'

/**
 * The build of a published package: ESM and CJS with their own type files, one chunk graph per format.
 * `entry` maps an output name to its source; `internal` names entries that get no type file (worker scripts).
 */
export function library(entry: Record<string, string>, internal: readonly string[] = [], extra: Options = {}) {
  const typed = Object.fromEntries(Object.entries(entry).filter(([name]) => !internal.includes(name)))
  return defineConfig({
    entry,
    format: ['esm', 'cjs'],
    target: 'node20',
    sourcemap: true,
    clean: true,
    shims: true,
    dts: { entry: typed, compilerOptions: { ignoreDeprecations: '6.0' } },
    ...extra,
  })
}
