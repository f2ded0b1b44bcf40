// What a user writes, from ES modules and from CommonJS, against the installed package.
import assert from 'node:assert/strict'
import {
  BaseCommand,
  callCommand,
  CommandError,
  ExitCode,
  isCommandError,
  manage,
  type Arguments,
} from '@outrider/command-kit'

class ClosePoll extends BaseCommand<{ polls: Map<number, boolean> }> {
  static override help = 'Closes the given polls'

  addCommandArguments(p: Arguments) {
    return p.argument('pollIds', { type: 'integer', variadic: true }).option('reason', { default: 'expired' })
  }

  async handleCommand(): Promise<string> {
    for (const id of this.getOption('pollIds')) {
      if (!this.context.polls.has(id)) throw new CommandError(`Poll "${id}" does not exist`)
      await this.effect(`close poll ${id}`, () => this.context.polls.set(id, false))
      this.stdout.write(this.style.success(`Successfully closed poll "${id}"`))
    }
    return this.getOption('reason')
  }
}

async function main(): Promise<void> {
  const polls = new Map([[1, true]])
  let text = ''
  const stdout = { write: (line: string) => (text += line) }
  const { exitCode, result } = await callCommand(ClosePoll, { pollIds: [1] }, { context: { polls }, stdout })
  assert.equal(exitCode, ExitCode.ok)
  assert.equal(result, 'expired')
  assert.equal(text, 'Successfully closed poll "1"\n')
  assert.equal(polls.get(1), false)
  await assert.rejects(callCommand(ClosePoll, { pollIds: [7] }, { context: { polls } }), isCommandError)
  assert.equal(await manage({ commands: [], argv: ['close-poll'], stderr: stdout }), ExitCode.usage)
}

void main()
