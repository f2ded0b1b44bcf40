import { describeWith } from '@outrider/test-kit'
import { describe } from 'vitest'
import { openBetterSqlite, openNodePostgres, openPhantomDB, openSqliteProxy } from './backends.ts'
import { describeContract } from './contract.ts'

describe('better-sqlite3', () => describeContract(openBetterSqlite))
describe('a SQLite driver without a fast path', () => describeContract(openSqliteProxy))
describeWith('postgres', 'node-postgres', () => describeContract(openNodePostgres))
describeWith('postgres', 'PhantomDB', () => describeContract(openPhantomDB))
