import { cache, type CacheBackend, type CachedFunction } from '@outrider/relaycache'
import { desc, eq } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { posts } from '../models/index.ts'
import { NotFoundError } from './not-found.ts'

interface PostSummary {
  readonly slug: string
  readonly title: string
  readonly author: string
  readonly createdAt: Date
}

interface PostDetails extends PostSummary {
  readonly bodyHtml: string
}

/** What pages show of posts. */
export interface PostService {
  /** The newest posts, at most ten. */
  readonly listPosts: CachedFunction<[], PostSummary[]>
  /** Rejects with {@link NotFoundError}, which is not cached. */
  readonly getPost: CachedFunction<[slug: string], PostDetails>
}

export function createPostService(db: Database, backend: CacheBackend): PostService {
  const summary = { slug: posts.slug, title: posts.title, author: posts.author, createdAt: posts.createdAt }
  const shared = { backend, distributedSingleflight: true }
  return {
    listPosts: cache({ ...shared, ttl: '30m', key: 'posts', tags: ['posts', 'post_listings'] }, () =>
      db.select(summary).from(posts).orderBy(desc(posts.createdAt), posts.id).limit(10),
    ),
    getPost: cache(
      { ...shared, ttl: '1h', key: 'post', tags: (slug) => [`post:${slug}`, 'posts'] },
      async (slug: string): Promise<PostDetails> => {
        const [post] = await db
          .select({ ...summary, bodyHtml: posts.bodyHtml })
          .from(posts)
          .where(eq(posts.slug, slug))
        if (!post) throw new NotFoundError()
        return post
      },
    ),
  }
}
