import { channel, type Channel } from 'node:diagnostics_channel'

/** Published after an operation ran. Times are taken only while someone listens. */
export interface OperationMessage {
  readonly file: string
  readonly connection: 'writer' | 'reader'
  /** The statement's text; undefined for what is none. */
  readonly sql: string | undefined
  readonly durationMs: number
}

/** Published when a thread died and is about to be started again. */
export interface RestartMessage {
  readonly file: string
  readonly connection: 'writer' | 'reader'
  readonly cause: unknown
  readonly delayMs: number
}

/** Published when a transaction, nested ones included, has ended. */
export interface TransactionMessage {
  readonly file: string
  readonly outcome: 'commit' | 'rollback'
  /** From when it had its turn. */
  readonly durationMs: number
}

/** Channels of node:diagnostics_channel, by what they carry. */
export const channels: Readonly<Record<'operation' | 'restart' | 'transaction', Channel>> = {
  operation: channel('outrider:sqlite-worker:operation'),
  restart: channel('outrider:sqlite-worker:restart'),
  transaction: channel('outrider:sqlite-worker:transaction'),
}
