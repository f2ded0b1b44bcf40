import { BaseCommand, CommandError, type Arguments } from '@outrider/command-kit'
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
    if (this.getOption('allBooks')) {
      await this.effect('clear all book cache', () => this.context.invalidate(['books', 'book_stats']))
      this.stdout.write(this.style.success('All book cache cleared'))
    } else if (tag !== undefined) {
      await this.effect(`clear the cache with tag "${tag}"`, () => this.context.invalidate([tag]))
      this.stdout.write(this.style.success(`Cache with tag "${tag}" cleared`))
    } else {
      throw new CommandError('Specify --tag or --all-books')
    }
  }
}
