import type { Arguments } from '../arguments.ts'

/** The options that every import has besides the standard ones. */
export interface ImportOptions {
  /** The file to read, `-` for standard input. */
  file: string | undefined
  /** What stands between two columns; undefined for a comma, or a tab in a `.tsv` file. */
  delimiter: string | undefined
  /** Where rejected rows are named; undefined for the name of the file and `.rejects.csv`. */
  rejects: string | undefined
  /** How many rows may be rejected: `100`, `2%` (judged at the end) or `all`. */
  maxErrors: string
  /** Whether rows that exist are updated, or are an error. */
  mode: 'create' | 'upsert'
  /** Records of the file to read at most. */
  limit: number | undefined
  /** Records of the file to leave out at its beginning. */
  skip: number
}

/** Declares the {@link ImportOptions}. */
export function addImportOptions<T>(p: Arguments<T>): Arguments<T & ImportOptions> {
  return p
    .group('Import options')
    .argument('file', {
      required: false,
      help: 'the file to read: .csv, .tsv, also .gz; - for standard input',
    })
    .option('delimiter', { help: 'what stands between two columns' })
    .option('rejects', { help: 'the file that names rejected rows' })
    .option('maxErrors', { default: 'all', help: 'rows that may be rejected: a number, a percentage or all' })
    .option('mode', {
      choices: ['create', 'upsert'],
      default: 'upsert',
      help: 'what to do with rows that exist: an error, or update them',
    })
    .option('limit', { type: 'integer', help: 'records to read at most' })
    .option('skip', { type: 'integer', default: 0, help: 'records to leave out at the beginning' })
}
