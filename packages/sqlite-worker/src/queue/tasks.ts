import type { StandardSchema } from './standard-schema.ts'

/** Task name to the type of its payload: as it is added, and as its handler gets it. */
export interface TaskTypes {
  readonly [task: string]: { readonly input: unknown; readonly output: unknown }
}

/** Task name to schema. */
export type TaskSchemas = Readonly<Record<string, StandardSchema>>

/** The types that schemas declare. */
export type SchemaTypes<S extends TaskSchemas> = {
  readonly [K in keyof S]: S[K] extends StandardSchema<infer Input, infer Output>
    ? { readonly input: Input; readonly output: Output }
    : never
}

/** The types of payloads that are not checked at run time. */
export type PayloadTypes<P> = { readonly [K in keyof P]: { readonly input: P[K]; readonly output: P[K] } }
