export {
  drizzle,
  migrate,
  type PhantomDBDatabase,
  type PhantomDBDrizzleConfig,
  type PhantomDBQueryResultHKT,
  type PhantomDBTransaction,
} from './adapter.ts'
