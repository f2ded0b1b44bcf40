import { BaseCommand, type Arguments } from '@outrider/command-kit'
import { seedDemo } from '../seed/seed-demo.ts'
import type { Site } from '../site.ts'

export class SeedDemo extends BaseCommand<Site> {
  static override help = 'Writes the books and posts of the demo, unless there are any'

  addCommandArguments(p: Arguments) {
    return p
  }

  async handleCommand(): Promise<void> {
    const { context } = this
    await this.effect('write the books and posts of the demo', async () => {
      await context.database.migrate()
      await seedDemo(context, 'seed_demo')
    })
    this.stdout.write(this.style.success('Demo data is there'))
  }
}
