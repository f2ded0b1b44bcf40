import { BaseCommand, type Arguments } from '@outrider/command-kit'
import { serve } from '../serve.ts'
import type { Site } from '../site.ts'

export class Runserver extends BaseCommand<Site> {
  static override help = 'Serves the site, on PORT, until it is interrupted'

  addCommandArguments(p: Arguments) {
    return p
  }

  async handleCommand(): Promise<void> {
    const onListening = (url: string): void => this.stdout.write(`Serving ${url}`)
    await serve(this.context, { signal: this.signal, onListening })
  }
}
