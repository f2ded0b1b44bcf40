/** A body that was read to its end, or one that is longer than allowed: it starts again from its first byte. */
export type ReadBody = { readonly bytes: Uint8Array } | { readonly rest: ReadableStream<Uint8Array> }

/** Reads a body of at most `maxBytes`. Rejects when the stream fails. */
export async function readBody(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<ReadBody> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { bytes: Buffer.concat(chunks) }
    const bytes = toBytes(value)
    chunks.push(bytes)
    size += bytes.byteLength
    if (size > maxBytes) return { rest: resume(chunks, reader) }
  }
}

function resume(
  chunks: Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift() ?? (await reader.read()).value
      if (chunk === undefined) controller.close()
      else controller.enqueue(toBytes(chunk))
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** Streams that Node made of text give text. */
function toBytes(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}
