// The watching process behind guard.ts. Plain JavaScript, since Node 20 runs it as it is. Reads one JSON message a
// line from stdin; when stdin ends, the parent is gone, and all that is still registered is ended and removed.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

const guarded = new Map()
const input = createInterface({ input: process.stdin })
for await (const line of input) {
  const message = JSON.parse(line)
  if (message.op === 'watch') watch(message)
  else if (message.op === 'add') guarded.set(message.id, message)
  else guarded.delete(message.id)
}

const things = [...guarded.values()]
for (const { container } of things)
  if (container) attempt(() => execFileSync('docker', ['rm', '-f', container]))
// What was only just being started may appear a moment later, so look until all is quiet.
for (
  let round = 0, quiet = things.length > 0 ? 0 : 3;
  quiet < 3 && round < 300;
  round += 1, await sleep(50)
) {
  const killed = things.map((thing) => kill(thing, round)).filter(Boolean).length
  quiet = killed === 0 ? quiet + 1 : 0
  if (killed > 0) continue
  for (const { removeDir } of things) {
    if (removeDir) attempt(() => rmSync(removeDir, { recursive: true, force: true }))
  }
}

/** Treats the end of `parent` as that of `worker`, which is then ended as well. */
function watch({ parent, worker }) {
  const timer = setInterval(() => {
    if (isSame(parent)) return
    clearInterval(timer)
    guarded.set('worker', worker)
    input.close()
    process.stdin.destroy()
  }, 200)
  timer.unref()
}

function kill(thing, round) {
  if (thing.postgresDataDir) {
    // PostgreSQL gives its shared memory back at a SIGQUIT; what does not heed it within two seconds is killed.
    const signal = round < 40 ? 'SIGQUIT' : 'SIGKILL'
    return (
      postgresProcesses(thing.postgresDataDir).filter((pid) => attempt(() => process.kill(pid, signal)))
        .length > 0
    )
  }
  if (!thing.pid || !isSame(thing)) return false
  return Boolean(attempt(() => process.kill(thing.group ? -thing.pid : thing.pid, 'SIGKILL')))
}

/** A process id may have been given to another process since; its start time tells. */
function isSame({ pid, startTime }) {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // Without /proc nobody had a start time to send.
  if (!stat) return !startTime && attempt(() => process.kill(pid, 0)) === true
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] !== 'Z' && (!startTime || fields[19] === startTime)
}

function postgresProcesses(dataDir) {
  const text = attempt(() => readFileSync(`${dataDir}/postmaster.pid`, 'utf8'))
  const pids = new Set()
  for (const name of attempt(() => readdirSync('/proc')) || []) {
    if (!/^\d+$/.test(name)) continue
    const cwd = attempt(() => readlinkSync(`/proc/${name}/cwd`)) || ''
    const command = attempt(() => readFileSync(`/proc/${name}/cmdline`, 'utf8')) || ''
    const [program = '', ...args] = command.split('\0')
    const within = cwd.startsWith(dataDir) || args.some((arg) => arg.startsWith(dataDir))
    if (within && /(^|\/)(postgres|initdb|pg_ctl)\b/.test(program)) pids.add(Number(name))
  }
  const pid = Number(text?.split('\n')[0])
  if (pid > 0 && !attempt(() => readFileSync('/proc/self/stat'))) pids.add(pid)
  return [...pids]
}

function attempt(action) {
  try {
    return action() ?? true
  } catch {
    return undefined
  }
}
