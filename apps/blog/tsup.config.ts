import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/main.ts', 'src/gateway.ts', 'src/manage.ts', 'src/commands/*.ts'],
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
})
