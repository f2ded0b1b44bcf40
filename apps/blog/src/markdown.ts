import { marked } from 'marked'
import xss from 'xss'

/** Turns Markdown into HTML that is safe to show: scripts, styles and event handlers are taken out. */
export function renderMarkdown(text: string): string {
  return xss(marked.parse(text, { async: false }))
}
