/** `; did you mean "x"?` for the candidate that is close enough to what was written, else nothing. */
export function didYouMean(written: string, candidates: Iterable<string>): string {
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const found = distance(written.toLowerCase(), candidate.toLowerCase())
    if (found <= Math.max(2, candidate.length / 3) && found < (best?.distance ?? Infinity))
      best = { candidate, distance: found }
  }
  return best ? `; did you mean ${JSON.stringify(best.candidate)}?` : ''
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
