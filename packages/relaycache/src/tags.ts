import { describe } from './options.ts'

/** Tags that are the same for every call, or that follow from the arguments. */
export type Tags<A extends readonly unknown[]> = readonly string[] | ((...args: A) => readonly string[])

/** For an entry without tags. */
export const NO_TAGS = (): readonly string[] => []

/** Up to so many tags a search of the list is faster than a Set. */
const FEW_TAGS = 16

/** What a message calls some tags. */
interface TagNames {
  /** @default 'tags' */
  readonly option?: string
  /** The name of a function; empty for none. @default '' */
  readonly owner?: string
}

/**
 * The tags, each once.
 * @throws {TypeError} unless it is an array of non-empty, well-formed strings; says which one is not
 */
export function distinctTags(tags: unknown, names: TagNames = {}): readonly string[] {
  if (!Array.isArray(tags)) throw notTags(names, '', `an array of strings, got ${describe(tags)}`)
  const wrong = (tags as unknown[]).findIndex((tag) => !isTag(tag))
  if (wrong !== -1) {
    const tag: unknown = tags[wrong]
    // In UTF-8 all lone surrogates are the same.
    const got = typeof tag === 'string' && tag !== '' ? 'a lone surrogate' : describe(tag)
    throw notTags(names, `[${wrong}]`, `a well-formed string that is not empty, got ${got}`)
  }
  if (tags.length > FEW_TAGS) return [...new Set(tags as string[])]
  return (tags as string[]).filter((tag, index) => tags.indexOf(tag) === index)
}

/** The tags in their order as text. */
export function sortedTags(tags: readonly string[]): readonly string[] {
  return tags.every((tag, index) => index === 0 || (tags[index - 1] as string) < tag) ? tags : tags.toSorted()
}

function isTag(tag: unknown): boolean {
  return typeof tag === 'string' && tag !== '' && tag.isWellFormed()
}

function notTags({ option = 'tags', owner = '' }: TagNames, which: string, expected: string): TypeError {
  return new TypeError(`Expected ${option}${which}${owner && ` of ${owner}`} to be ${expected}`)
}
