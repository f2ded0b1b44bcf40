import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** What a process says to the hub. `join` comes first; `leave` tells an orderly end from a crash. */
export type ToHub =
  | { readonly type: 'join'; readonly token: string }
  | { readonly type: 'ask'; readonly id: number; readonly question: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'leave' }

/** What the hub says. */
export type FromHub =
  | { readonly type: 'welcome'; readonly gateway: Gateway | undefined }
  | { readonly type: 'question'; readonly id: number; readonly question: unknown }
  /** `silent`: how many gave none in time. */
  | {
      readonly type: 'answers'
      readonly id: number
      readonly answers: readonly unknown[]
      readonly silent: number
    }

/** Where the databases are, and what its callers need to know. */
export interface Gateway {
  readonly url: string
  readonly token: string | undefined
}

/** Where the hub of a data folder is; kept in `hub.json`, readable by its user only. */
export interface HubAddress {
  readonly port: number
  readonly token: string
  readonly pid: number
}

/** Sends one message: a line of JSON. */
export function send(socket: Socket, message: ToHub | FromHub): void {
  socket.write(`${JSON.stringify(message)}\n`)
}

/**
 * Calls `handle` with each message that arrives. A line that is no JSON ends the connection; its `close` event tells
 * that it ended, for whatever reason.
 */
export function receive(socket: Socket, handle: (message: unknown) => void): void {
  const lines = createInterface({ input: socket })
  lines.on('error', () => socket.destroy()) // readline passes on what its input emits, such as ECONNRESET
  lines.on('line', (line) => {
    try {
      handle(JSON.parse(line))
    } catch {
      socket.destroy()
    }
  })
}
