const brand: unique symbol = Symbol.for('@outrider/bulk-ops/ref')

/** Stands in a foreign key column for the key of a row that may not exist yet. Made by {@link ref}. */
export interface Ref {
  readonly [brand]: object
}

/**
 * Refers to a row object whose key need not be known yet, in the column of a foreign key.
 *
 * The row is one that the same call creates, or one that has its key. It is told by identity: pass the object itself.
 * @example
 * const writer = { name: 'Ada' }
 * const novel = { title: 'Notes', authorId: ref(writer) }
 */
export function ref(row: object): Ref {
  return { [brand]: row }
}

/** The row that a value of a row refers to, or undefined for any other value. */
export function referencedRow(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null && brand in value ? (value as Ref)[brand] : undefined
}
