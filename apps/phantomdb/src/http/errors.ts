import type { FastifyError, FastifyInstance } from 'fastify'
import { CallError, type ReplyCode } from '../errors.ts'
import { failureOf } from '../postgres/failures.ts'

/** What is told about failures that are the gateway's own fault. */
export type OnInternalError = (error: unknown, requestId: string) => void

/** Answers every failure as `{error, code, sqlstate, message, details, retryable, requestId}`. */
export function replyWithErrors(app: FastifyInstance, onInternalError: OnInternalError): void {
  app.setErrorHandler(async (error, request, reply) => {
    const failure = callErrorOf(error)
    if (failure.code === 'internal_error') onInternalError(error, request.id)
    if (failure.status === 503) reply.header('retry-after', '1')
    // The rest of the body is not read.
    if (failure.status === 413) reply.header('connection', 'close')
    return await reply.code(failure.status).send(bodyOf(failure, request.id))
  })
  app.setNotFoundHandler(async (request, reply) => {
    const failure = new CallError('not_found', `There is no ${request.method} ${pathOf(request.url)}`)
    return await reply.code(failure.status).send(bodyOf(failure, request.id))
  })
}

/** The body of an error reply; `error` is what the original clients read. */
function bodyOf({ code, sqlstate, message, details, retryable }: CallError, requestId: string): object {
  return { error: message, code, sqlstate: sqlstate ?? null, message, details, retryable, requestId }
}

const codes: Readonly<Record<number, ReplyCode>> = {
  413: 'payload_too_large',
  415: 'unsupported_media_type',
}

function callErrorOf(error: unknown): CallError {
  // Fastify's own refusals: bodies too large, of another type, or not as the schema says.
  if (error instanceof Error && 'statusCode' in error && error.name !== 'CallError') {
    const { statusCode, message, validation } = error as FastifyError
    if (validation?.[0])
      return new CallError('invalid_request', messageOfValidation(validation[0], error as FastifyError))
    if (statusCode === 401) return new CallError('unauthorized', 'Unauthorized access')
    if (statusCode === 503) return new CallError('unavailable', 'The gateway is closing', { retryable: true })
    if (statusCode && statusCode < 500) {
      return new CallError(codes[statusCode] ?? 'invalid_request', message, { status: statusCode })
    }
  }
  return failureOf(error)
}

type Violation = NonNullable<FastifyError['validation']>[number]

function messageOfValidation(
  { instancePath, message, params }: Violation,
  { validationContext }: FastifyError,
): string {
  const place = `${validationContext ?? 'body'}${instancePath.replaceAll('/', '.')}`
  const unknown = params['additionalProperty']
  if (typeof unknown === 'string') return `Unknown field '${unknown}' in ${place}`
  return `Expected of ${place}: it ${message ?? 'is not valid'}`
}

const pathOf = (url: string): string => url.split('?', 1)[0] ?? url
