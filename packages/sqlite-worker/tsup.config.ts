import { library } from '@outrider/tsconfig/tsup'

export default library({ index: 'src/index.ts' }, { worker: 'src/worker/main.ts' })
