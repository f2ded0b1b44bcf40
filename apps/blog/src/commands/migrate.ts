import { BaseCommand, type Arguments } from '@outrider/command-kit'
import type { Site } from '../site.ts'

export class Migrate extends BaseCommand<Site> {
  static override help = 'Brings the tables of the database up to date'

  addCommandArguments(p: Arguments) {
    return p
  }

  async handleCommand(): Promise<void> {
    await this.effect('migrate the database', () => this.context.database.migrate())
    this.stdout.write(this.style.success('Database is up to date'))
  }
}
