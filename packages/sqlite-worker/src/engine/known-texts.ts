/** How many texts are remembered at most, and how many characters they may have together. */
const MAX_TEXTS = 1000
const MAX_CHARACTERS = 2 ** 22

/** What is known of statements, by their text. Forgets everything when it is full. */
export class KnownTexts<T> {
  readonly #known = new Map<string, T>()
  #characters = 0

  get(text: string): T | undefined {
    return this.#known.get(text)
  }

  set(text: string, what: T): void {
    this.delete(text)
    if (this.#known.size >= MAX_TEXTS || this.#characters + text.length > MAX_CHARACTERS) {
      this.#known.clear()
      this.#characters = 0
    }
    this.#known.set(text, what)
    this.#characters += text.length
  }

  delete(text: string): void {
    if (this.#known.delete(text)) this.#characters -= text.length
  }
}
