export {
  PhantomDBServerError,
  replyStatus,
  serverErrorCodes,
  type ReplyCode,
  type ServerErrorCode,
} from './errors.ts'
export type { Auth, GatewayLogger, StartPhantomDBOptions } from './options.ts'
export { findServer, type ServerInfo } from './server-file.ts'
export { startPhantomDB, type CloseOptions, type PhantomDBServer } from './start.ts'
