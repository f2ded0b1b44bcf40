import { library } from '@outrider/tsconfig/tsup'

export default library({
  index: 'src/index.ts',
  drizzle: 'src/drizzle/index.ts',
  express: 'src/express/index.ts',
  fastify: 'src/fastify/index.ts',
  http: 'src/http/index.ts',
  msgpack: 'src/msgpack/index.ts',
  otel: 'src/otel/index.ts',
  redis: 'src/redis/index.ts',
  testing: 'src/testing/index.ts',
})
