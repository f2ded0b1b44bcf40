// All that CI runs besides the tests: types, lint, format, unused code, workspace rules, and the packages as users get them.
// Ends with a line `N passed, N failed`, and exits 1 when a check failed.
import { spawn } from 'node:child_process'
import { root } from './lib/process.mjs'

const checks = {
  types: ['turbo', 'run', 'typecheck', '--output-logs=errors-only'],
  lint: ['oxlint', '--type-aware', '--quiet'],
  format: ['oxfmt', '--check'],
  unused: ['knip', '--no-progress'],
  workspace: ['sherif'],
  packages: [process.execPath, 'scripts/check-packages.mjs'],
}

let passed = 0
let failed = 0
for (const [name, command] of Object.entries(checks)) {
  const { code, output } = await run(command)
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(output)
  passed += counts ? Number(counts[1]) : code === 0 ? 1 : 0
  failed += counts ? Number(counts[2]) : code === 0 ? 0 : 1
  if (code !== 0 || counts) console.log(output.trimEnd())
  console.log(`${code === 0 ? 'ok' : 'FAIL'}  ${name}`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

function run([program, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}
