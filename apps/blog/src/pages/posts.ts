import type { FastifyInstance } from 'fastify'
import { slugOf } from './address.ts'
import { page, type PageContext } from './page.ts'

/** `/posts/:slug`. */
export function postPages(app: FastifyInstance, context: PageContext): void {
  page(app, '/posts/:slug', context, async (trace, { params }) => {
    const post = await trace.cached(context.site.posts.getPost, slugOf(params['slug']))
    return { view: 'post', title: post.title, data: { post } }
  })
}
