/** Names whose values have no place in a plan: plans are read by people and stored elsewhere. */
const secretName = /password|passwd|passphrase|secret|token|credential|(?:^|_)(?:pass|auth|apikey|api_key|key)$/i
const credentials = /(:\/\/)[^/@\s]*@/g

export interface PlanEnvironment {
  values: Record<string, string>
  /** Whether nothing had to be hidden: only then the server may be started with it. */
  complete: boolean
}

/**
 * The part of a process's environment that its program needs to read its configuration. What looks secret gets a
 * stand-in: the test and the reload read the configuration for its form; the running process keeps its own values.
 * @param used names that the configuration asks for
 */
export function forPlans(environment: Readonly<Record<string, string>>, used: readonly string[]): PlanEnvironment {
  const names = [...new Set([...used, 'LD_LIBRARY_PATH'])].filter((name) => environment[name] !== undefined).toSorted()
  const shown = (name: string) => (secretName.test(name) ? 'hidden' : (environment[name] ?? '').replaceAll(credentials, '$1hidden@'))
  const values = Object.fromEntries(names.map((name) => [name, shown(name)]))
  return { values, complete: names.every((name) => values[name] === environment[name]) }
}
