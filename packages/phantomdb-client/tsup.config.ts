import { library } from '@outrider/tsconfig/tsup'

export default library({ index: 'src/index.ts', drizzle: 'src/drizzle/index.ts' })
