import type { Static } from '@certloop/contract'
import type { DnsProviderContext, OutboundResponse } from '@certloop/plugin-kit'
import { baseAddress } from '../shared/address.ts'
import { again, untilDone } from '../shared/again.ts'
import { type ApiRequest, createApi, type Problem } from '../shared/api.ts'
import { awsHeaders, awsQuery } from '../shared/aws-sigv4.ts'
import type { fields } from './manifest.ts'
import { errorOf } from './xml.ts'

const clouds = {
  aws: { address: 'https://route53.amazonaws.com', region: 'us-east-1' },
  china: { address: 'https://route53.amazonaws.com.cn', region: 'cn-northwest-1' },
  gov: { address: 'https://route53.us-gov.amazonaws.com', region: 'us-gov-west-1' },
} as const

/** Five calls a second for the whole account; and one change of a zone after the other. */
const hasNoTime = new Set(['Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'PriorRequestNotComplete'])
const ofCredentials = new Set(['IncompleteSignature', 'InvalidClientTokenId', 'InvalidSignatureException', 'MissingAuthenticationToken', 'OptInRequired', 'RequestExpired'])
/** Somebody changed the set since it was read. */
const changedSince = /already exists|was not found|do not match the current values/

function explain(answer: OutboundResponse): Problem {
  const { code, message } = errorOf(answer.text())
  const text = code === '' ? '' : `${code}: ${message}`
  if (ofCredentials.has(code)) return { text, kind: 'refused' }
  return hasNoTime.has(code) ? { text, kind: 'busy' } : { text }
}

export interface Client {
  /** The body of an answer that is a success. */
  get(path: string, query?: Record<string, string>): Promise<string>
  /** Sends a batch of changes. `again`: what it takes away is no longer as it was read. */
  post(path: string, body: string): Promise<string | typeof again>
  clean(text: string): string
}

/** Signed calls; what Route 53 has no time for is asked again a few times. */
export function createClient(context: DnsProviderContext<Static<typeof fields>>): Client {
  const { accessKeyId, secretAccessKey } = context.fields
  const cloud = clouds[context.fields.cloud]
  const base = `${baseAddress(context.fields.apiAddress ?? cloud.address)}/2013-04-01`
  const sign = (request: ApiRequest) => awsHeaders(request, { region: cloud.region, service: 'route53', credentials: { accessKeyId, secretAccessKey }, now: context.now() })
  const api = createApi(context, { title: 'Route 53', secrets: [secretAccessKey], authorize: sign, explain })

  const call = (request: ApiRequest): Promise<OutboundResponse> => untilDone(context, async () => {
    const answer = await api.send({ ...request, headers: { accept: 'application/xml', ...request.headers }, accept: [400] })
    if (answer.status !== 400) return answer
    const { code, message } = errorOf(answer.text())
    if (hasNoTime.has(code)) return again
    if (code === 'InvalidChangeBatch' && changedSince.test(message)) return answer
    throw api.failure(answer)
  }, { giveUp: 'Route 53 has no time for this account: too many calls at once (it takes five a second), or an earlier change is under way.', firstWaitMs: 1000 })
  return {
    clean: api.clean,
    get: async (path, query = {}) => (await call({ method: 'GET', url: `${base}${path}${Object.keys(query).length === 0 ? '' : `?${awsQuery(query)}`}` })).text(),
    post: async (path, body) => {
      const answer = await call({ method: 'POST', url: `${base}${path}`, body, headers: { 'content-type': 'application/xml' } })
      return answer.status === 400 ? again : answer.text()
    },
  }
}
