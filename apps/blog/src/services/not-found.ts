/** What a page was asked for does not exist; answered with 404. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
  readonly statusCode = 404

  constructor() {
    super('There is no such page')
  }
}
