import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'command-kit',
    include: ['test/**/*.test.ts'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'] },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
