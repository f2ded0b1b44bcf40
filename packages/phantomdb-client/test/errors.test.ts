import { expect, it } from 'vitest'
import * as errors from '../src/index.ts'

it.each([
  ['23505', 'UniqueViolationError', errors.IntegrityError],
  ['23503', 'ForeignKeyViolationError', errors.IntegrityError],
  ['23502', 'NotNullViolationError', errors.IntegrityError],
  ['23514', 'CheckViolationError', errors.IntegrityError],
  ['23P01', 'IntegrityError', errors.DatabaseError],
  ['22012', 'DataError', errors.DatabaseError],
  ['40001', 'SerializationError', errors.OperationalError],
  ['40P01', 'DeadlockError', errors.OperationalError],
  ['57014', 'OperationalError', errors.DatabaseError],
  ['42P01', 'ProgrammingError', errors.DatabaseError],
  ['3D000', 'ProgrammingError', errors.DatabaseError],
  ['25P02', 'InternalError', errors.DatabaseError],
  ['0A000', 'NotSupportedError', errors.DatabaseError],
  ['P0001', 'DatabaseError', errors.PhantomDBError],
])('%s becomes a %s', (sqlstate, name, parent) => {
  const error = errors.databaseError('no', sqlstate)
  expect(error).toMatchObject({ name, sqlstate, message: 'no' })
  expect(error).toBeInstanceOf(parent)
  expect(error.constructor.name).toBe(name)
})

it('forwards the cause, and has none when none was given', () => {
  const cause = new Error('socket closed')
  expect(errors.databaseError('no', '08006', cause).cause).toBe(cause)
  expect('cause' in errors.databaseError('no', '08006')).toBe(false)
})

it('is told apart from any other error, also by another copy of the package', () => {
  expect(errors.isPhantomDBError(errors.databaseError('no', '23505'))).toBe(true)
  expect(errors.isPhantomDBError({ [Symbol.for('@outrider/phantomdb-client/error')]: true })).toBe(true)
  expect([new Error('no'), undefined].some(errors.isPhantomDBError)).toBe(false)
})
