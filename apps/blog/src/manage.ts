import { runManage } from '@outrider/command-kit'
import { explain, messageOf } from './explain.ts'
import { readSettings } from './settings.ts'
import { openSite } from './site.ts'

/** `manage <command>`: the commands of `src/commands`, each with a site of its own. */
try {
  const settings = readSettings(process.env)
  await runManage({
    commands: [new URL('./commands/', import.meta.url)],
    context: () =>
      openSite(settings, {
        onError: (error, what) => process.stderr.write(`${what}: ${messageOf(error)}\n`),
      }),
  })
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}
