import { BaseCommand, type Arguments } from '@outrider/command-kit'
import { eq } from 'drizzle-orm'
import { posts } from '../models/index.ts'
import type { Site } from '../site.ts'

export class ProcessAnalytics extends BaseCommand<Site> {
  static override help = 'Process analytics data: how often each post was read, up to today'

  addCommandArguments(p: Arguments) {
    return p
  }

  async handleCommand(): Promise<void> {
    const { database, analytics } = this.context
    const all = await database.db.select({ id: posts.id, slug: posts.slug }).from(posts)
    const counted = await Promise.all(
      all.map(async ({ id, slug }) => ({ id, views: await analytics.countViews(`/posts/${slug}`) })),
    )
    await this.effect(`store the views of ${counted.length} posts`, async () => {
      // view counters are no change of a post: not audited
      await database.db.transaction(async (tx) => {
        for (const { id, views } of counted)
          await tx.update(posts).set({ viewCount: views }).where(eq(posts.id, id))
      })
      await analytics.storePostViews(new Date().toISOString().slice(0, 10), counted)
    })
    this.stdout.write(this.style.success('Analytics processed'))
  }
}
