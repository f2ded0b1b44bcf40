// Behind `npm start`, `npm test` and the other scripts of package.json: sets up what is missing, then runs the command.
// Needs nothing but Node and npm.
import { pathToFileURL } from 'node:url'
import { foreground, join, root, run } from './lib/process.mjs'
import { prepare } from './lib/setup.mjs'
import { test } from './lib/test.mjs'

const commands = {
  async start() {
    await build('@outrider/blog...')
    await import(pathToFileURL(join(root, 'apps/blog/dist/main.js')).href)
  },
  async test(args) {
    await build()
    return test(args)
  },
  async 'test:faults'(args) {
    await build()
    return test(['.faults.', ...args], { OUTRIDER_FAULTS: '1' })
  },
  async build() {
    await build()
  },
  async check(args) {
    await build()
    return foreground([join(root, 'scripts/check.mjs'), ...args])
  },
  async manage(args) {
    await build('@outrider/blog...')
    return foreground([join(root, 'apps/blog/dist/manage.js'), ...args])
  },
  async bench(args) {
    await build()
    return foreground([join(root, 'bench/run.mjs'), ...args])
  },
}

const [name = '', ...args] = process.argv.slice(2)
if (!Object.hasOwn(commands, name)) {
  console.error(`Expected one of ${Object.keys(commands).join(', ')}, got ${JSON.stringify(name)}`)
  process.exit(2)
}
try {
  await prepare()
  const exitCode = await commands[name](args)
  if (exitCode !== undefined) process.exitCode = exitCode
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

function build(filter) {
  const selection = filter ? [`--filter=${filter}`] : []
  return run('turbo', ['run', 'build', '--output-logs=errors-only', ...selection], { what: 'Building' })
}
