import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** What a process says to the hub. `join` comes first; `leave` tells an orderly end from a crash. */
export type ToHub =
  | { readonly type: 'join'; readonly token: string }
  | { readonly type: 'invalidate'; readonly id: number; readonly tags: readonly string[] }
  | { readonly type: 'invalidated'; readonly id: number }
  | { readonly type: 'leave' }

/** What the hub says. */
export type FromHub =
  | { readonly type: 'welcome'; readonly gateway: Gateway | undefined }
  | { readonly type: 'invalidate'; readonly id: number; readonly tags: readonly string[] }
  | { readonly type: 'invalidated'; readonly id: number }

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
