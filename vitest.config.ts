import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'apps/*', 'internal/{test-kit,embedded-postgres,options}', 'bench', 'scripts'],
    globalSetup: ['internal/test-kit/src/global-setup.ts'],
  },
})
