// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import {
  connect,
  ConnectionError,
  databaseError,
  IntegrityError,
  isPhantomDBError,
  type ConnectOptions,
  type QueryResult,
} from '@outrider/phantomdb-client'

async function main(): Promise<void> {
  const options: ConnectOptions = { database: 'consumer', requestTimeoutMs: 5000 }
  const client = connect('http://127.0.0.1:1', options)
  const query: Promise<QueryResult<{ one: number }>> = client.query('select 1 as one')
  await assert.rejects(query, (error) => error instanceof ConnectionError && !error.maybeExecuted)
  await assert.rejects(client.table('users').delete({ where: { id: 1 } }), isPhantomDBError)
  await client.close()
  assert.ok(databaseError('no', '23505') instanceof IntegrityError)
}

void main()
