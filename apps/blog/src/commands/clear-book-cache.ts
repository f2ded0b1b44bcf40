import { BaseCommand, CommandError, type Arguments } from '@outrider/command-kit'
import { isRelayCacheError } from '@outrider/relaycache'
import type { Site } from '../site.ts'

export class ClearBookCache extends BaseCommand<Site> {
  static override help = 'Takes books out of the cache, in every process of the site'

  addCommandArguments(p: Arguments) {
    return p
      .option('tag', { type: 'string', help: 'only what carries this tag' })
      .option('allBooks', { type: 'boolean', help: 'everything about books' })
  }

  async handleCommand(): Promise<void> {
    const tag = this.getOption('tag')
    const { context } = this
    if (this.getOption('allBooks')) {
      await this.#clear('all book cache', async () => {
        await context.clearing.clearAllBookCache()
        await context.clearing.clearBookStats()
      })
      this.stdout.write(this.style.success('All book cache cleared'))
    } else if (tag !== undefined) {
      await this.#clear(`the cache with tag "${tag}"`, () => context.invalidate([tag]))
      this.stdout.write(this.style.success(`Cache with tag "${tag}" cleared`))
    } else {
      throw new CommandError('Specify --tag or --all-books')
    }
  }

  async #clear(what: string, clear: () => Promise<void>): Promise<void> {
    try {
      await this.effect(`clear ${what}`, clear)
    } catch (error) {
      throw isRelayCacheError(error) ? new CommandError(error.message, { cause: error }) : error
    }
  }
}
