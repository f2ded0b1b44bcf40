import { UsageError } from '../errors.ts'
import { toJsonText } from './json.ts'
import { PayloadError } from './errors.ts'
import type { StandardResult, StandardSchema } from './standard-schema.ts'
import type { TaskSchemas } from './tasks.ts'

/** Checks payloads against the schemas of their tasks, and turns them into text and back. */
export class Payloads {
  readonly #schemas: TaskSchemas | undefined

  constructor(schemas: TaskSchemas | undefined) {
    this.#schemas = schemas
  }

  isKnown(task: string): boolean {
    return !this.#schemas || Object.hasOwn(this.#schemas, task)
  }

  /** Whether the payloads of a task have a schema. @throws {UsageError} for an unknown task. */
  isChecked(task: string): boolean {
    return this.#schemaOf(task) !== undefined
  }

  /**
   * The text to store for a payload; a promise only for a schema that is asynchronous.
   * @throws {PayloadError} when it does not fit. @throws {UsageError} for an unknown task, or a payload that JSON cannot hold.
   */
  text(task: string, payload: unknown): string | null | Promise<string | null> {
    const schema = this.#schemaOf(task)
    // what is stored is the input, because the schema is asked again before the handler runs
    const text = toJsonText(payload, 'the payload')
    const checked = schema ? validate(schema, task, payload) : undefined
    return checked instanceof Promise ? checked.then(() => text) : text
  }

  /** What a handler gets for a stored text. @throws {PayloadError | SyntaxError | UsageError} when there is nothing it could be given. */
  stored(task: string, text: string | null): unknown {
    const payload: unknown = text === null ? undefined : JSON.parse(text)
    const schema = this.#schemaOf(task)
    return schema ? validate(schema, task, payload) : payload
  }

  #schemaOf(task: unknown): TaskSchemas[string] | undefined {
    if (typeof task !== 'string' || task === '') {
      throw new UsageError(
        'ERR_INVALID_ARGUMENT',
        `Expected a task to be a non-empty name, got ${typeof task}`,
      )
    }
    if (!this.isKnown(task)) {
      throw new UsageError('ERR_INVALID_ARGUMENT', `This queue has no task called ${JSON.stringify(task)}`)
    }
    return this.#schemas?.[task]
  }
}

/** The value as the schema gives it back; a promise only for a schema that is asynchronous. @throws {PayloadError} */
function validate(schema: StandardSchema, task: string, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then((late) => take(task, late)) : take(task, result)
}

function take(task: string, result: StandardResult<unknown>): unknown {
  if (result.issues) throw new PayloadError(task, result.issues)
  return result.value
}
