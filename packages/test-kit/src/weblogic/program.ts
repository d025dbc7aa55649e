import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { madeOnce } from '../made-once.ts'

const run = promisify(execFile)

// Node as a program named java that takes every argument as its own, so that a command line can be that of a JVM.
const stub = "require('node:module').createRequire(process.env.SIMULATOR_ENTRY)(process.env.SIMULATOR_ENTRY)\n"

/** The path of bin/java, made once per version of Node. Which script it runs is said in SIMULATOR_ENTRY. */
export async function simulatedJava(): Promise<string> {
  const folder = await madeOnce(`simulated-jdk-${process.version}`, async (making) => {
    const [main, configuration, bin] = [join(making, 'main.js'), join(making, 'sea.json'), join(making, 'java')]
    await writeFile(main, stub)
    await writeFile(configuration, JSON.stringify({ main, output: bin, disableExperimentalSEAWarning: true, execArgvExtension: 'none' }))
    await run(process.execPath, ['--build-sea', configuration])
    await Promise.all([rm(main), rm(configuration)])
  })
  return join(folder, 'java')
}
