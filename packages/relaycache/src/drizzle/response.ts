/**
 * What a driver answered, without the instance of the driver's class around it: its rows, and what stands beside them
 * as plain text or numbers. The rows themselves stay what they are.
 */
export function withoutDriver(response: unknown): unknown {
  if (typeof response !== 'object' || response === null || Array.isArray(response)) return response
  if (!('rows' in response)) return response
  const kept = Object.entries(response).filter(([name, value]) => name === 'rows' || isPrimitive(value))
  return Object.fromEntries(kept)
}

function isPrimitive(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function') || value === null
}
