import { CertloopError, field } from '@certloop/contract'

const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** Why secrets may not be sent to this address; undefined when they may. */
export function addressProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'This is not an address; it begins with https://.'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'No user or password belongs into the address.'
  if (url.search !== '' || url.hash !== '') return 'The address ends before any "?" or "#".'
  if (url.protocol === 'https:') return undefined
  return url.protocol === 'http:' && isLoopback(url.hostname) ? undefined : 'Credentials are sent there, so it has to begin with https://. http is for this machine only.'
}

/** For the check of a manifest: the optional addresses among its fields. */
export function addressProblems(fields: Readonly<Record<string, unknown>>, names: readonly string[]): { field: string; problem: string }[] {
  return names.flatMap((name) => {
    const value = fields[name]
    const problem = typeof value === 'string' ? addressProblem(value) : undefined
    return problem === undefined ? [] : [{ field: name, problem }]
  })
}

/** An address without a slash at its end. @throws CertloopError INPUT_INVALID */
export function baseAddress(text: string): string {
  const problem = addressProblem(text)
  if (problem !== undefined) throw new CertloopError('INPUT_INVALID', `"${text}" can not be used as an address. ${problem}`)
  return text.replace(/\/+$/, '')
}

/** The optional field for another address than the usual one. */
export const addressField = (usual: string, label = 'Address of the API') =>
  field.optional(field.text({ label, help: `Empty: ${usual}. Only for other clouds and test systems.` }))
