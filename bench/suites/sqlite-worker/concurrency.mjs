/** How many operations are under way at once in the concurrent cases: the `step` of their samples. */
export const AT_ONCE = 100

/**
 * Runs operations 100 at a time, as that many callers of a server would, and waits for each hundred.
 *
 * @param {number} operations a multiple of {@link AT_ONCE}
 * @param {(index: number) => PromiseLike<unknown>} operation
 */
export async function inHundreds(operations, operation) {
  for (let done = 0; done < operations; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => operation(done + index)))
  }
}
