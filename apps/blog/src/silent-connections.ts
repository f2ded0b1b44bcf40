import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Keeps track of connections over which no request has come yet: browsers open them ahead of need, and a server that
 * closes would wait for them. The function returned ends those.
 */
export function trackSilentConnections(server: Server): () => void {
  const silent = new Set<Socket>()
  server.on('connection', (socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  server.on('request', (request) => silent.delete(request.socket))
  return () => {
    for (const socket of silent) socket.destroy()
  }
}
