import { describe } from './options.ts'

/** An asynchronous method, as the standard decorators see it. */
export type Method<This, A extends unknown[], T> = (this: This, ...args: A) => Promise<T>

/**
 * A method that is wrapped once for every object it is called on. The key begins with the name of the object's class
 * (of the class itself for a static method), so that objects of one class share their values, and a subclass, where
 * the method may do something else, does not.
 */
export function perClass<This, A extends unknown[], T>(
  name: string | symbol,
  wrap: (bound: (...args: A) => Promise<T>, nameOf: () => string) => (...args: A) => Promise<T>,
  method: Method<This, A, T>,
): Method<This, A, T> {
  const wrapped = new WeakMap<object, (...args: A) => Promise<T>>()
  return async function cachedMethod(...args) {
    if ((typeof this !== 'object' && typeof this !== 'function') || this === null)
      throw new TypeError(`Expected a cached method to be called on an object, got ${describe(this)}`)
    let cached = wrapped.get(this)
    if (!cached) {
      const nameOf = (): string => `${classNameOf(this)}.${String(name)}`
      cached = wrap((...given) => method.apply(this, given), nameOf)
      wrapped.set(this, cached)
    }
    return cached(...args)
  }
}

function classNameOf(owner: object): string {
  const { name } = (typeof owner === 'function' ? owner : owner.constructor) as { name: unknown }
  if (typeof name === 'string' && name !== '') return name
  throw new TypeError(
    "Expected a class with a name, or an option such as key: 'getBook', to make keys that are unique",
  )
}
