import type { Arguments } from './arguments.ts'

/** The names of the options that every command has, for `getOption`. */
export const Options = {
  dryRun: 'dryRun',
  force: 'force',
  yes: 'yes',
  timeout: 'timeout',
  batchSize: 'batchSize',
  verbosity: 'verbosity',
  traceback: 'traceback',
  noColor: 'noColor',
  forceColor: 'forceColor',
  json: 'json',
} as const

/** The options that every command has. */
export interface StandardOptions {
  /** Nothing is to be changed: see {@link BaseCommand.dryRun}. */
  dryRun: boolean
  /** Skips checks marked by {@link BaseCommand.forceable}. */
  force: boolean
  /** Answers every {@link BaseCommand.confirm} with yes. */
  yes: boolean
  /** Seconds, or a duration such as `5m`, after which the command is stopped; undefined for none. */
  timeout: string | undefined
  /** Rows of a batch, 1 or more: see {@link BaseCommand.batches}. */
  batchSize: number
  /** 0 errors and results only, 1 also progress and steps, 2 also details, 3 everything. */
  verbosity: 0 | 1 | 2 | 3
  /** Prints the stack of an error. */
  traceback: boolean
  noColor: boolean
  forceColor: boolean
  /** What the command returns is printed as JSON on stdout; all else becomes JSON lines or text on stderr. */
  json: boolean
}

/** Declares the {@link StandardOptions}. */
export function addStandardOptions(p: Arguments): Arguments<StandardOptions> {
  return p
    .group('Standard options')
    .option('dryRun', { type: 'boolean', help: 'change nothing' })
    .option('force', { type: 'boolean', help: 'skip the checks that may be skipped' })
    .option('yes', { type: 'boolean', help: 'answer every question with yes' })
    .option('timeout', { help: 'stop after so many seconds, or a duration such as 5m' })
    .option('batchSize', { type: 'integer', default: 1000, help: 'rows of a batch' })
    .option('verbosity', {
      type: 'integer',
      choices: [0, 1, 2, 3],
      default: 1,
      help: 'how much to say on stderr',
    })
    .option('traceback', { type: 'boolean', help: 'print the stack of an error' })
    .option('noColor', { type: 'boolean', help: 'no colours' })
    .option('forceColor', { type: 'boolean', help: 'colours, also into a file' })
    .option('json', { type: 'boolean', help: 'print the result as JSON' })
}
