import { CertloopError, checkShape, type Static, type TSchema } from '@certloop/contract'
import type { DnsProviderContext, OutboundResponse } from '@certloop/plugin-kit'
import { XMLParser } from 'fast-xml-parser'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { createApi } from '../shared/api.ts'
import type { fields } from './manifest.ts'

const lists = new Set(['host', 'Host', 'Domain', 'Error'])
// Values of records are attributes: nothing may be trimmed from them.
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', parseAttributeValue: false, parseTagValue: false, trimValues: false, htmlEntities: true, isArray: (name, _, __, isAttribute) => !isAttribute && lists.has(name) })
const Answer = Type.Object({ ApiResponse: Type.Object({ Status: Type.String(), CommandResponse: Type.Optional(Type.Unknown()), Errors: Type.Optional(Type.Unknown()) }) })
const Errors = Type.Object({ Error: Type.Array(Type.Object({ Number: Type.String(), '#text': Type.Optional(Type.String()) }), { minItems: 1 }) })

export interface Client {
  /** @returns what is in CommandResponse, of this form @throws CertloopError as a connector does; facts.number: the number of the error */
  call<S extends TSchema>(command: string, values: Readonly<Record<string, string>>, form: S): Promise<Static<S>>
  clean(text: string): string
}

/** Numbers about the key, the user and the calling address, by their beginning. */
const codeOf = (number: number) => (number >= 1_010_000 && number < 1_020_000 ? 'DNS_PROVIDER_REFUSED' : number === 500_000 || number >= 5_000_000 ? 'DNS_PROVIDER_UNREACHABLE' : 'DNS_RECORD_FAILED')

/** Calls by POST alone: the key does not get into addresses, which proxies write down. */
export function createClient(context: DnsProviderContext<Static<typeof fields>>): Client {
  const { userName, apiKey, clientIp, apiAddress = 'https://api.namecheap.com/xml.response' } = context.fields
  const url = baseAddress(apiAddress)
  const api = createApi(context, { title: 'Namecheap', secrets: [apiKey], authorize: () => ({}), explain: () => ({ text: '' }) })

  function read(answer: OutboundResponse): Static<typeof Answer>['ApiResponse'] {
    try {
      return checkShape(Answer, parser.parse(answer.text()), { what: 'What answers in the place of Namecheap', code: 'DNS_PROVIDER_UNREACHABLE' }).ApiResponse
    } catch (error) {
      if (error instanceof CertloopError) throw error
      throw new CertloopError('DNS_PROVIDER_UNREACHABLE', 'What answers in the place of Namecheap does not speak its language: no XML.', {}, error)
    }
  }
  return {
    clean: api.clean,
    async call(command, values, form) {
      const body = new URLSearchParams({ ApiUser: userName, ApiKey: apiKey, UserName: userName, ClientIp: clientIp, Command: command, ...values }).toString()
      const { Status: status, CommandResponse: response, Errors: errors } = read(await api.send({ method: 'POST', url, body, headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/xml' } }))
      if (status === 'OK') return checkShape(form, response, { what: `Namecheap's answer to ${command}`, code: 'DNS_PROVIDER_UNREACHABLE' })
      const [first] = checkShape(Errors, errors, { what: "Namecheap's error", code: 'DNS_PROVIDER_UNREACHABLE' }).Error
      const number = Number(first?.Number)
      throw new CertloopError(codeOf(number), `Namecheap refuses ${command}: ${api.clean(first?.['#text'] ?? '')} (${number}).`, { number })
    },
  }
}
