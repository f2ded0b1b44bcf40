import { describe } from './options.ts'

/** Tags that are the same for every call, or that follow from the arguments. */
export type Tags<A extends readonly unknown[]> = readonly string[] | ((...args: A) => readonly string[])

/** For an entry without tags. */
export const NO_TAGS = (): readonly string[] => []

/** The tags, each once. @throws {TypeError} unless it is an array of non-empty, well-formed strings */
export function distinctTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags))
    throw new TypeError(`Expected tags to be an array of strings, got ${describe(tags)}`)
  for (const tag of tags as unknown[]) {
    if (typeof tag !== 'string' || tag === '') {
      throw new TypeError(
        `Expected every tag to be a string that is not empty, got ${tag === '' ? "''" : typeof tag}`,
      )
    }
    // In UTF-8 all lone surrogates are the same.
    if (!tag.isWellFormed()) throw new TypeError('Expected every tag to be well-formed, got a lone surrogate')
  }
  return (tags as string[]).filter((tag, index) => tags.indexOf(tag) === index)
}

/** The tags in their order as text. */
export function sortedTags(tags: readonly string[]): readonly string[] {
  return tags.every((tag, index) => index === 0 || (tags[index - 1] as string) < tag) ? tags : tags.toSorted()
}
