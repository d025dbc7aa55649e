/** Something a person can mend; shown without a stack. */
export class UserError extends Error {}

export function say(text) {
  process.stderr.write(`certloop: ${text}\n`)
}

export function fail(error) {
  say(error instanceof UserError ? error.message : error?.stack ?? String(error))
  process.exit(1)
}
