import { CertloopError, type DeployResult, type ErrorFacts, fromWire, type Step, type TargetSecrets } from '@certloop/contract'

/** Shorter ones are found everywhere, and hiding them would tell more than it hides. */
const shortest = 4
const hidden = '[hidden]'

/** Hides secrets in what people get to see. */
export interface Redactor {
  /** From here on these are hidden too. */
  learn(secrets: Iterable<string>): void
  text(text: string): string
  error(error: CertloopError): CertloopError
  /** Its texts; times, fingerprints and certificates stay, so that the result keeps its form whatever a password looks like. */
  result(result: DeployResult): DeployResult
}

export function createRedactor(secrets: Iterable<string> = []): Redactor {
  const known = new Set<string>()
  let pattern: RegExp | undefined
  const redactor: Redactor = {
    learn(more) {
      for (const secret of more) if (secret.length >= shortest) for (const form of formsOf(secret)) known.add(form)
      // Longest first: one secret may begin like another.
      const all = [...known].toSorted((a, b) => b.length - a.length).map((form) => RegExp.escape(form))
      pattern = all.length === 0 ? undefined : new RegExp(all.join('|'), 'g')
    },
    text: (text) => (pattern === undefined ? text : text.replace(pattern, hidden)),
    error: (error) => (pattern === undefined ? error : new CertloopError(error.code, redactor.text(error.message), inFacts(error.facts, redactor.text), error.cause)),
    result: (result) => (pattern === undefined ? result : inResult(result, redactor)),
  }
  redactor.learn(secrets)
  return redactor
}

const inFacts = (facts: ErrorFacts, text: (text: string) => string): ErrorFacts =>
  Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, typeof fact === 'string' ? text(fact) : typeof fact === 'object' ? fact.map(text) : fact]))

function inResult(result: DeployResult, { text, error }: Redactor): DeployResult {
  const { inspection } = result
  return {
    ...result,
    error: result.error && error(fromWire(result.error)).toWire(),
    differences: result.differences.map(text),
    inspection: inspection && { ...inspection, served: inspection.served.map((one) => ({ ...one, error: one.error && text(one.error) })) },
    log: result.log.map((line) => ({ ...line, message: text(line.message), output: line.output && text(line.output) })),
  }
}

/** As it stands, in JSON, in XML, in a URL, and within Base64, whatever stands before it there ("user:" of Basic authorization). */
function formsOf(secret: string): string[] {
  const url = encodeURIComponent(secret)
  const xml = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
  return [secret, JSON.stringify(secret).slice(1, -1), xml, url, url.replaceAll('%20', '+'), ...base64Cores(secret)]
}

/** The characters of Base64 that depend on the secret alone, for each of the three places it can have in a group. */
function base64Cores(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    return text.slice(Math.ceil(before * 8 / 6), Math.floor((before + bytes.length) * 8 / 6))
  }).filter((core) => core.length >= shortest)
}

/** Everything secret about a target. */
export const secretsOf = ({ fields = {}, login = {}, jumps = [] }: TargetSecrets): string[] =>
  [...Object.values(fields), ...[login, ...jumps].flatMap((one) => Object.values(one))].filter((one): one is string => typeof one === 'string')

/** Those that steps need while they run, also after a crash: what is staged by then needs none. */
export function neededLater(steps: readonly Step[], secrets: Readonly<Record<string, string>>): Record<string, string> {
  const names = steps.flatMap((step) => (step.kind === 'http-request' && step.authorization !== undefined ? [step.authorization.password] : []))
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => names.includes(name)))
}
