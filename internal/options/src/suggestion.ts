/** `; did you mean "step"?` for the name that is near to what was written, else nothing. */
export function didYouMean(written: string, known: readonly string[]): string {
  const nearest = nearestOf(written, known)
  return nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`
}

/** The same, but all names where none is near: `; there are step, max`. */
export function suggestion(written: string, known: readonly string[]): string {
  return didYouMean(written, known) || `; there are ${known.join(', ')}`
}

function nearestOf(written: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((name) => ({ name, distance: distance(written.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  return nearest && nearest.distance <= Math.max(1, written.length / 2) ? nearest.name : undefined
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const x of a) {
    const next = [(row[0] ?? 0) + 1]
    for (const [i, y] of Array.from(b).entries()) {
      next.push(Math.min((row[i] ?? 0) + (x === y ? 0 : 1), (row[i + 1] ?? 0) + 1, (next[i] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
