import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { name: 'bench', include: ['test/**/*.test.mjs'], testTimeout: 20_000, hookTimeout: 60_000 },
})
