import type { Static } from '@sinclair/typebox'
import type { preValidationHookHandler } from 'fastify'
import type { Routes } from './context.ts'
import { TransactionBody } from './schemas.ts'

interface OneTransaction {
  Params: { id: string }
}

/** Transactions that span calls: their id travels in the header X-PhantomDB-Transaction. */
export const transactionRoutes: Routes = (app, { transactions, transactionTimeoutMs }) => {
  app.post<{ Body: Static<typeof TransactionBody> }>(
    '/transactions',
    { preValidation: allowNoBody, schema: { body: TransactionBody } },
    async ({ body, gone }, reply) => {
      const transaction = await transactions.begin({ timeoutMs: transactionTimeoutMs, ...body })
      if (gone.aborted) await transaction.expire()
      return await reply.code(201).send({ transaction_id: transaction.id })
    },
  )

  app.post<OneTransaction>('/transactions/:id/commit', async ({ params }) => {
    await transactions.find(params.id).commit()
    return { message: 'Transaction committed' }
  })

  app.post<OneTransaction>('/transactions/:id/rollback', async ({ params }) => {
    await transactions.find(params.id).rollback()
    return { message: 'Transaction rolled back' }
  })
}

const allowNoBody: preValidationHookHandler = (request, _, done) => {
  request.body ??= {}
  done()
}
