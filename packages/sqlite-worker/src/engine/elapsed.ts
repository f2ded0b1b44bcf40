/** Resolves to false after some time; never for Infinity. Keeps no process alive. */
export async function elapsed(ms: number): Promise<false> {
  if (ms === Infinity) return new Promise(() => {})
  return new Promise((resolve) => setTimeout(() => resolve(false), ms).unref())
}
