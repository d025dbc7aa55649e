// Called by npm for every command of this repository, with whatever Node the machine has (18 or later).
// Installs what is missing, then goes on under the pinned Node. Says its own words on standard error only.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { goOn, runToEnd } from './run/go-on.mjs'
import { installWhatIsMissing } from './run/install.mjs'
import { nodeToUse } from './run/pinned-node.mjs'
import { fail, UserError } from './run/words.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** file: what runs. before: run to its end first. where: 'caller' keeps the folder the person called npm from. */
const commands = {
  start: { file: 'apps/control-plane/src/main.ts', before: 'scripts/pages.ts' },
  demo: { file: 'scripts/demo.ts', before: 'scripts/pages.ts' },
  test: { file: 'scripts/test.ts' },
  check: { file: 'scripts/check.ts' },
  bench: { file: 'benchmarks/run.ts' },
  cli: { file: 'apps/cli/src/main.ts', where: 'caller' },
  bot: { file: 'apps/bot/src/main.ts', where: 'caller' },
}

async function main() {
  const [name = '', ...args] = process.argv.slice(2)
  const command = Object.prototype.hasOwnProperty.call(commands, name) ? commands[name] : undefined
  if (!command) throw new UserError(`there is no command "${name}". Commands: ${Object.keys(commands).join(', ')}.`)
  await installWhatIsMissing(root)
  const node = nodeToUse(root)
  const file = join(root, command.file)
  if (!existsSync(file)) throw new UserError(`${command.file} is not part of this checkout.`)
  if (command.before) await runToEnd(node, [join(root, command.before)], root)
  // Compiled code is kept for the next start.
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'node-compile')
  const folder = command.where === 'caller' ? process.env.INIT_CWD || process.cwd() : root
  goOn(node, [file, ...args], folder)
}

main().catch(fail)
