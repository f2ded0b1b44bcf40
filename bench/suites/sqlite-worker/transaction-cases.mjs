import { ours } from '../../lib/ours.mjs'
import { defineCase } from '../../lib/suite.mjs'
import { newFile, openInThread } from './database-file.mjs'
import { openLibsql, openNodeSqlite3 } from './peers.mjs'

const { SqliteWorker } = await ours('sqlite-worker')

const BALANCE = 'SELECT balance FROM accounts WHERE id = ?'
const ADD = 'UPDATE accounts SET balance = balance + ? WHERE id = ?'
const newAccounts = () =>
  newFile((db) => {
    db.exec('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)')
    const insert = db.prepare('INSERT INTO accounts (balance) VALUES (1000000000)')
    for (let id = 1; id <= 100; id += 1) insert.run()
  })

/** Moves money: BEGIN IMMEDIATE, a read, two writes, COMMIT, each awaited, one transaction after another. */
const amountOf = (balance) => (balance > 0 ? 1 : 0)
const accountsOf = (index) => [(index % 100) + 1, ((index + 1) % 100) + 1]

export const transactionCases = [
  defineCase({
    id: 'interactive-transaction',
    unit: 'op/s',
    ours: {
      setup: () => new SqliteWorker(newAccounts()),
      run: async (operations, worker) => {
        for (let index = 0; index < operations; index += 1) {
          const [from, to] = accountsOf(index)
          await worker.transaction(async (tx) => {
            const [{ balance }] = await tx.execute(BALANCE, [from])
            await tx.execute(ADD, [-amountOf(balance), from])
            await tx.execute(ADD, [amountOf(balance), to])
          })
        }
      },
      teardown: (worker) => worker.close(),
    },
    peers: {
      libsql: {
        setup: () => openLibsql(newAccounts()),
        run: async (operations, client) => {
          for (let index = 0; index < operations; index += 1) {
            const [from, to] = accountsOf(index)
            const tx = await client.transaction('write')
            const [{ balance }] = (await tx.execute(BALANCE, [from])).rows
            await tx.execute(ADD, [-amountOf(balance), from])
            await tx.execute(ADD, [amountOf(balance), to])
            await tx.commit()
          }
        },
        teardown: (client) => client.close(),
      },
      'node-sqlite3': {
        setup: async () => {
          const db = await openNodeSqlite3(newAccounts())
          const [begin, balance, add, commit] = ['BEGIN IMMEDIATE', BALANCE, ADD, 'COMMIT'].map((sql) =>
            db.prepare(sql),
          )
          return { db, begin, balance, add, commit }
        },
        run: async (operations, { begin, balance: balanceOf, add, commit }) => {
          for (let index = 0; index < operations; index += 1) {
            const [from, to] = accountsOf(index)
            await begin.run()
            const { balance } = await balanceOf.get([from])
            await add.run([-amountOf(balance), from])
            await add.run([amountOf(balance), to])
            await commit.run()
          }
        },
        teardown: ({ db }) => db.close(),
      },
    },
    limit: {
      'better-sqlite3 without awaits': {
        setup: () => {
          const db = openInThread(newAccounts())
          const balanceOf = db.prepare(BALANCE)
          const add = db.prepare(ADD)
          const move = db.transaction((from, to) => {
            const { balance } = balanceOf.get(from)
            add.run(-amountOf(balance), from)
            add.run(amountOf(balance), to)
          })
          return { db, move: move.immediate }
        },
        run: (operations, { move }) => {
          for (let index = 0; index < operations; index += 1) move(...accountsOf(index))
        },
        teardown: ({ db }) => db.close(),
      },
    },
    floor: { libsql: 1, 'node-sqlite3': 1.5 },
    stretch: { libsql: 1.3, 'node-sqlite3': 2 },
  }),
]
