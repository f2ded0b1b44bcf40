import { fileURLToPath } from 'node:url'
import { Eta } from 'eta'

/** Renders `views/<name>.eta`; what is interpolated is escaped. */
export type Render = (name: string, data: object) => string

export function createRender(): Render {
  const eta = new Eta({ views: fileURLToPath(new URL('../views', import.meta.url)), cache: true })
  return (name, data) => eta.render(name, data)
}
