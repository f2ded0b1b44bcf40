import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Settings } from './settings.ts'

/**
 * Whether a request is from staff: it has `Authorization: Bearer <ADMIN_TOKEN>`. Nobody is while no token is set. A
 * browser adds this header to no request by itself, so none can be forged from another site.
 */
export function isStaff({ headers }: FastifyRequest, { adminToken }: Settings): boolean {
  if (adminToken === undefined) return false
  return timingSafeEqual(digest(headers.authorization ?? ''), digest(`Bearer ${adminToken}`))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
