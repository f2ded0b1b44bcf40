import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'test-kit',
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    globalSetup: './src/global-setup.ts',
  },
})
