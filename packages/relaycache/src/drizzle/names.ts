import { getTableName, getTableUniqueName, is, Table } from 'drizzle-orm'
import type { MutationOption } from 'drizzle-orm/cache/core'

/** The names under which the queries of a database lie in a backend. */
export class Names {
  readonly #namespace: string

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** The key of a result, by the hash of its query or by the tag that stands for it. */
  key(hashOrTag: string, isTag: boolean): string {
    return `${this.#namespace}:${isTag ? 'tag' : 'query'}:${hashOrTag}`
  }

  /** Says that a statement is under way that changes the table. */
  mark(table: string): string {
    return `${this.#namespace}:mark:${table}`
  }

  tag(kind: 'table' | 'tag', name: string): string {
    return `${this.#namespace}:${kind}:${name}`
  }
}

/** The names of the tables in a mutation, with every spelling that Drizzle uses for one. */
export function tablesOf({ tables = [] }: MutationOption): string[] {
  return [tables].flat().flatMap((table) => {
    if (!is(table, Table)) return [table as string]
    return [getTableName(table), getTableUniqueName(table)]
  })
}

/** The tags in a mutation. */
export function tagsOf({ tags = [] }: MutationOption): string[] {
  return [tags].flat()
}
