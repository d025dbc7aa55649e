import type { ApiProblem, ErrorCode } from '@certloop/api-client'

/** 0 done, 1 failed, 2 wrong usage, 3 not signed in or not allowed. */
export const exitCodes = { done: 0, failed: 1, usage: 2, access: 3, interrupted: 130 } as const

/** Everything that ends a command badly, in the four answers a person needs: what, why, what to do, where. */
export interface FailureText {
  exit: number
  what: string
  why?: string
  remedy?: string
  where?: string
  code?: string
  /** Request id in the log of the control plane. */
  instance?: string
  fields?: readonly { field: string; problem: string }[]
}

export class Failure extends Error {
  readonly text: FailureText
  constructor(text: FailureText) {
    super(text.what)
    this.name = 'Failure'
    this.text = text
  }
}

/** The words given on the line do not fit; nothing was sent. */
export const usage = (what: string, remedy?: string): Failure => new Failure({ exit: exitCodes.usage, what, ...(remedy === undefined ? {} : { remedy }) })

/** An error of the API, told apart by its name so that the client need not be loaded to look. */
export const isApiProblem = (thrown: unknown): thrown is ApiProblem => thrown instanceof Error && thrown.name === 'ApiProblem'

const signIn = 'Run "certloop login", or set CERTLOOP_URL and CERTLOOP_TOKEN.'

/** Where the registry speaks of pages and bots, this command line has its own ways. */
const ownWords: Partial<Record<ErrorCode, Pick<FailureText, 'remedy' | 'where'>>> = {
  SIGN_IN_REQUIRED: { remedy: signIn, where: 'The stored sign-in, or CERTLOOP_TOKEN' },
  PERMISSION_DENIED: { remedy: 'Ask an administrator for a token with the permission named above.', where: 'certloop session show; certloop token add' },
}
const noAnswer: Pick<FailureText, 'remedy' | 'where'> = { remedy: 'Check the address, and that the control plane runs there.', where: 'certloop login --url, or CERTLOOP_URL' }
const noTrust: Pick<FailureText, 'remedy' | 'where'> = { remedy: 'When the control plane uses its own authority, give its root: certloop login --ca root.pem, or CERTLOOP_CA.', where: 'The TLS certificate of the control plane' }

export function failureOfProblem(problem: ApiProblem): FailureText {
  const { message, code, cause, remedy, where, instance, fields, status } = problem
  const access = status === 401 || status === 403
  const noConnection = status !== 0 ? {} : /self.signed|unable to (verify|get)|issuer certificate/i.test(message) ? noTrust : noAnswer
  return { exit: access ? exitCodes.access : exitCodes.failed, what: message, why: cause, remedy, where, code, fields, ...(instance === undefined ? {} : { instance }), ...ownWords[code], ...noConnection }
}

/** Anything thrown, for people. What nobody foresaw keeps its stack: it is a defect to report. */
export function failureOf(thrown: unknown): FailureText {
  if (thrown instanceof Failure) return thrown.text
  if (isApiProblem(thrown)) return failureOfProblem(thrown)
  const what = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)
  return { exit: exitCodes.failed, what, why: 'Something went wrong in this command line.', remedy: 'Report it with the lines above.', where: 'certloop', code: 'INTERNAL' }
}

/** The lines of a failure, ready for standard error. */
export function failureLines({ what, why, code, remedy, where, instance, fields = [] }: FailureText): string[] {
  const part = (title: string, text: string | undefined) => (text ? [`  ${`${title}:`.padEnd(12)}${text}`] : [])
  const reason = why === undefined ? code : code === undefined ? why : `${why} (${code})`
  return [
    `certloop: ${what}`,
    ...fields.filter(({ field, problem }) => !what.includes(`${field}: ${problem}`)).map(({ field, problem }) => `  - ${field}: ${problem}`),
    ...part('Why', reason), ...part('What to do', remedy), ...part('Where', where), ...part('Request', instance),
  ]
}
