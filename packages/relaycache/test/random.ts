/** Random numbers that a seed repeats (mulberry32). */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number = Number(process.env['OUTRIDER_SEED'] ?? Math.floor(Math.random() * 2 ** 32))) {
    this.seed = seed
    this.#state = seed
  }

  /** An integer from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}
