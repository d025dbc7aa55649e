import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderContext, OutboundResponse } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { type Api, bodyOf, createApi, type Problem } from '../shared/api.ts'
import { keptToken } from '../shared/token.ts'
import type { fields } from './manifest.ts'

const clouds = {
  public: { login: 'https://login.microsoftonline.com', management: 'https://management.azure.com' },
  usgov: { login: 'https://login.microsoftonline.us', management: 'https://management.usgovcloudapi.net' },
  china: { login: 'https://login.chinacloudapi.cn', management: 'https://management.chinacloudapi.cn' },
} as const

const TokenAnswer = Type.Object({ access_token: Type.String({ minLength: 1 }), expires_in: Type.Number() })
interface ManagementError { error: { code?: string; message?: string }; code: string; message: string }

function explain(answer: OutboundResponse): Problem {
  const { error, code = error?.code, message = error?.message } = bodyOf<ManagementError>(answer)
  return { text: [code, message].filter(Boolean).join(': ') }
}

/** Of the answers of Entra ID the first line: what follows are ids of the request. All but a rush and a fault of its own is for somebody to mend. */
function explainLogin(answer: OutboundResponse): Problem {
  const { error, error_description: description = '' } = bodyOf<{ error: string; error_description: string }>(answer)
  const text = `signing in: ${typeof error === 'string' ? error : ''} ${String(description).split(/\r?\n/)[0] ?? ''}`
  return answer.status >= 400 && answer.status < 500 && answer.status !== 429 && answer.status !== 408 ? { text, kind: 'refused' } : { text }
}

export interface Client {
  api: Api
  base: string
  /** An address of this API, as it is given in answers. @throws CertloopError when it leads elsewhere: the token goes with it */
  own(address: string): string
}

/** Azure Resource Manager, with a token of the application. */
export function createClient(context: DnsProviderContext<Static<typeof fields>>): Client {
  const { tenantId, clientId, clientSecret, cloud, loginAddress, managementAddress } = context.fields
  const [login, base] = [baseAddress(loginAddress ?? clouds[cloud].login), baseAddress(managementAddress ?? clouds[cloud].management)]
  const secrets = [clientSecret]
  const loginApi = createApi(context, { title: 'Microsoft Entra ID', secrets, authorize: () => ({}), explain: explainLogin })
  const token = keptToken(context, async () => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope: `${clouds[cloud].management}/.default` }).toString()
    const answer = await loginApi.send({ method: 'POST', url: `${login}/${tenantId}/oauth2/v2.0/token`, body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    const { access_token: value, expires_in: seconds } = loginApi.read(TokenAnswer, answer)
    secrets.push(value)
    return { value, seconds }
  })
  const api = createApi(context, { title: 'Azure DNS', secrets, authorize: async () => ({ authorization: `Bearer ${await token()}` }), explain })
  return {
    api, base,
    own(address) {
      if (URL.canParse(address) && new URL(address).origin === new URL(base).origin) return address
      throw new CertloopError('DNS_PROVIDER_UNREACHABLE', 'Azure DNS names a next page at another address; the token is not sent there.')
    },
  }
}
