import { TOKEN_LENGTH } from './scripts.ts'

/**
 * What a value key holds: the key's own token, a header with the tokens of the entry's tags, a line feed, and the
 * encoded value. A key whose first value is still being computed holds its token only.
 */
const VERSION = 'R1'

/**
 * The header of a value stored now. `tokens` are that of the namespace, then those of the tags in their order. An
 * entry is valid exactly if its header is the one that would be written now.
 */
export function headerOf(tags: readonly string[], tokens: readonly string[]): string {
  const [namespaceToken, ...tagTokens] = tokens
  return `${VERSION}${JSON.stringify([namespaceToken, ...tags.flatMap((tag, index) => [tag, tagTokens[index]])])}\n`
}

/** The header of a blob with its line feed, whoever wrote it; empty when the blob holds a token only. */
export function headerIn(blob: Buffer): Buffer {
  const end = blob.indexOf('\n', TOKEN_LENGTH)
  return blob.subarray(TOKEN_LENGTH, end === -1 ? blob.length : end + 1)
}

/** The encoded value, if the blob has exactly this header. */
export function bodyUnder(header: string, blob: Buffer): string | undefined {
  const end = TOKEN_LENGTH + Buffer.byteLength(header)
  return blob.toString('utf8', TOKEN_LENGTH, end) === header ? blob.toString('utf8', end) : undefined
}

/** The tags in the header of a blob; `undefined` when it is not an entry of this version. */
export function tagsIn(blob: Buffer): readonly string[] | undefined {
  const header = headerIn(blob).toString()
  if (!header.startsWith(VERSION)) return undefined
  try {
    const parts = JSON.parse(header.slice(VERSION.length)) as string[]
    return parts.filter((_, index) => index % 2 === 1)
  } catch {
    return undefined
  }
}
