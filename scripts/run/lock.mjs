import { linkSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const touchEveryMs = 2_000
/** A holder touches its lock; one that did not for so long is gone, whatever its number says. */
const goneAfterMs = 60_000

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Runs `read`; undefined when the file is not there. */
function ifThere(read) {
  try {
    return read()
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function isAbandoned(path) {
  const pid = ifThere(() => Number(readFileSync(path, 'utf8')))
  const touched = ifThere(() => statSync(path).mtimeMs)
  if (pid === undefined || touched === undefined) return false
  return !isAlive(pid) || Date.now() - touched > goneAfterMs
}

/** Makes the file with our number, whole from its first instant; false when it is there already. */
function tryTake(path) {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, String(process.pid))
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Removes an abandoned lock. A second file makes sure that no two do so at once and one removes the other's new lock. */
function breakIfAbandoned(path) {
  if (!isAbandoned(path)) return
  const breaking = `${path}.breaking`
  if (!tryTake(breaking)) {
    if (isAbandoned(breaking)) rmSync(breaking, { force: true })
    return
  }
  try {
    if (isAbandoned(path)) rmSync(path, { force: true })
  } finally {
    rmSync(breaking, { force: true })
  }
}

/**
 * Runs `work` while no other process of this checkout holds the lock of that name. Waits as long as it takes.
 * The lock goes when the process ends; one left behind by a kill -9 is noticed and removed.
 * @param onWait called once when somebody else holds the lock
 */
export async function withLock(root, name, onWait, work) {
  const folder = join(root, '.tmp')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}.lock`)
  for (let waited = false; !tryTake(path); waited = true) {
    if (!waited) onWait()
    breakIfAbandoned(path)
    await wait(200)
  }
  const release = () => rmSync(path, { force: true })
  process.once('exit', release)
  const touching = setInterval(() => {
    const now = new Date()
    utimesSync(path, now, now)
  }, touchEveryMs)
  try {
    return await work()
  } finally {
    clearInterval(touching)
    process.off('exit', release)
    release()
  }
}
