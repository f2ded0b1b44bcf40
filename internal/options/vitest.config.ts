import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { name: 'options', include: ['test/**/*.test.ts'] } })
