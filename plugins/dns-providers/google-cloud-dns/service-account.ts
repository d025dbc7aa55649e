import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderContext, OutboundResponse } from '@certloop/plugin-kit'
import { importPKCS8, SignJWT } from 'jose'
import { Type } from 'typebox'
import { Check } from 'typebox/value'
import { baseAddress } from '../shared/address.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { keptToken } from '../shared/token.ts'

const text = Type.String({ minLength: 1 })
const Key = Type.Object({ client_email: text, private_key: text, token_uri: text, private_key_id: Type.Optional(Type.String()), project_id: Type.Optional(Type.String()) })
export type ServiceAccountKey = Static<typeof Key>
const TokenAnswer = Type.Object({ access_token: text, expires_in: Type.Number() })
const scope = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite'

/** The JSON file of a key; undefined when it is something else. */
export function readKey(file: string): ServiceAccountKey | undefined {
  try {
    const value: unknown = JSON.parse(file)
    return Check(Key, value) ? value : undefined
  } catch {
    return undefined // no JSON
  }
}

function explain(answer: OutboundResponse): Problem {
  const { error, error_description: description } = bodyOf<{ error: string; error_description: string }>(answer)
  const said = `signing in: ${[error, description].filter((each) => typeof each === 'string').join(', ')}`
  return answer.status >= 400 && answer.status < 500 && answer.status !== 429 && answer.status !== 408 ? { text: said, kind: 'refused' } : { text: said }
}

/** Access tokens for a signed statement of the account (RFC 7523). @param secrets takes up each token */
export function accessTokens(context: Pick<DnsProviderContext, 'outbound' | 'now' | 'signal'>, key: ServiceAccountKey, secrets: string[]): () => Promise<string> {
  const api = createApi(context, { title: 'Google', secrets, authorize: () => ({}), explain })
  async function statement(): Promise<string> {
    const seconds = Math.floor(context.now().getTime() / 1000)
    const privateKey = await importPKCS8(key.private_key, 'RS256').catch((error: unknown) => {
      throw new CertloopError('DNS_PROVIDER_REFUSED', 'The private key in the key of the service account can not be read. Make a new key and paste the whole file.', {}, error)
    })
    return new SignJWT({ scope }).setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(key.private_key_id === undefined ? {} : { kid: key.private_key_id }) })
      .setIssuer(key.client_email).setAudience(key.token_uri).setIssuedAt(seconds).setExpirationTime(seconds + 3600).sign(privateKey)
  }
  return keptToken(context, async () => {
    const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: await statement() }).toString()
    const answer = await api.send({ method: 'POST', url: baseAddress(key.token_uri), body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    const { access_token: value, expires_in: seconds } = api.read(TokenAnswer, answer)
    secrets.push(value)
    return { value, seconds }
  })
}
