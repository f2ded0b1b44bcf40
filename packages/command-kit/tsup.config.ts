import { library } from '@outrider/tsconfig/tsup'

const configs = library({ index: 'src/index.ts', import: 'src/import/index.ts' })
for (const config of configs) {
  // Rollup's tree shaking keeps import() in the CommonJS build, where commands may be ES modules.
  config.treeshake = true
  config.esbuildOptions = (options) => {
    options.sourcesContent = false // the sources are published, and the maps point at them
  }
}

export default configs
