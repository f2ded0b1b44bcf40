import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'sqlite-worker',
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/bundle-worker.ts'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'] },
    testTimeout: 20_000,
  },
})
