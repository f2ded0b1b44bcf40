import { library } from '@outrider/tsconfig/tsup'

export default library(
  {
    index: 'src/index.ts',
    drizzle: 'src/drizzle/index.ts',
    kysely: 'src/kysely/index.ts',
    queue: 'src/queue/index.ts',
    testing: 'src/testing/index.ts',
  },
  { worker: 'src/worker/main.ts' },
)
