import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expect, it } from 'vitest'
import { bulkCreateBulksInSteps, bulkCreateInSteps, InvalidOptionError } from '../src/index.ts'

const items = sqliteTable('items', { id: integer().primaryKey(), name: text().unique(), n: integer() })
const db = drizzle(new Database(':memory:'))

it.each([
  [{ stepp: 5 }, 'Unknown option "stepp"; did you mean "step"?'],
  [{ step: 0 }, 'Expected step to be an integer of 1 or more, got 0 (number)'],
  [{ step: 1.5 }, 'Expected step to be an integer of 1 or more, got 1.5 (number)'],
  [{ atomic: 'yes' }, 'Expected atomic to be a boolean, got string'],
  [{ returning: 'row' }, "Expected returning to be 'rows', 'ids' or 'none', got string"],
  [{ onConflict: 'skip' }, "Expected onConflict to be 'error', 'ignore' or { target, update }, got string"],
  [{ onConflict: { target: 'name', updat: [] } }, 'Unknown option "updat"; did you mean "update"?'],
  [{ onConflict: { target: 'nam' } }, 'Unknown column of items "nam"; did you mean "name"?'],
  [{ onConflict: { target: [] } }, 'Expected target to be the name of a column, or several, got an array'],
  [{ onConflict: { target: 'n' } }, 'Expected target to be a unique key of items that can be given, got n'],
  [null, 'Expected options to be an object, got null'],
])('refuses the options %j', async (options, message) => {
  const call = bulkCreateInSteps(db, items, [], options as never)
  await expect(call).rejects.toThrow(InvalidOptionError)
  await expect(call).rejects.toThrow(message)
})

it('takes undefined for what is not given', async () => {
  expect(await bulkCreateInSteps(db, items, [], { step: undefined, returning: undefined } as never)).toEqual(
    [],
  )
})

it('refuses to ignore conflicts of tables whose keys others need', async () => {
  const call = bulkCreateBulksInSteps(db, [[items, []]], { onConflict: [[items, 'ignore' as never]] })
  await expect(call).rejects.toThrow('update: [] skips rows')
})
