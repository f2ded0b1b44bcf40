export { launchBrowser } from './browser.ts'
export { describeWith } from './describe-with.ts'
export { TestKitError, TEST_KIT_ERROR_CODES, type TestKitErrorCode } from './errors.ts'
export { eventually, type EventuallyOptions } from './eventually.ts'
export { startPostgresServer, type TestDatabase, type TestPostgresServer } from './postgres.ts'
export { prepareServices } from './prepare.ts'
export { runReadme, type ReadmeProgram } from './readme.ts'
export {
  startRedisCluster,
  type StartRedisClusterOptions,
  type TestRedisCluster,
  type TestRedisClusterNode,
} from './redis-cluster.ts'
export { startRedisSentinel, type TestRedisSentinel } from './redis-sentinel.ts'
export { startRedis, type StartRedisOptions, type TestRedis } from './redis.ts'
export { skipped, SERVICES, type Service } from './services.ts'
export { spawnChild, type ChildExit, type SpawnChildOptions, type TestChild } from './spawn-child.ts'
export { findStrace } from './strace.ts'
export { startTcpProxy, type StartTcpProxyOptions, type TcpAddress, type TcpProxy } from './tcp-proxy.ts'
export { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'
