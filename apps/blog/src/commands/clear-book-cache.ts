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
    } else if (tag) {
      await this.#clear(`cache with tag "${tag}"`, () => context.invalidate([tag]))
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
    if (!this.dryRun) this.stdout.write(this.style.success(`${capitalized(what)} cleared`))
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
