/** Drivers for Node.js give blobs as Buffers, and what is built upon them expects so. Shares the memory. */
export function asBuffer(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Does {@link asBuffer} to all values of rows, in place. Rows are lists, or objects by column name. */
export function withBuffers<T>(rows: T[]): T[] {
  for (const row of rows as Record<string, unknown>[]) {
    for (const key in row) {
      const value = row[key]
      if (typeof value === 'object' && value !== null) row[key] = asBuffer(value)
    }
  }
  return rows
}
