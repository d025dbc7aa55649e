import { lookup } from 'node:dns/promises'
import { CertloopError, type Static } from '@certloop/contract'
import { query, readDnsServers, type DnsServer } from '@certloop/dns'
import type { DnsProviderConnector, DnsProviderContext } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { bodyOf, createApi } from '../shared/api.ts'
import { type Account, readAccounts } from './accounts.ts'
import type { fields } from './manifest.ts'

type Context = DnsProviderContext<Static<typeof fields>>
const Updated = Type.Object({ txt: Type.String() })
/** It takes what ACME authorities want and nothing else. */
const valueForm = /^[A-Za-z0-9_-]{43}$/
/** It may be closed to us; then a value is written without a look. */
const lookMs = 1500

/** Where acme-dns answers DNS questions; undefined when that can't be found or may not be reached. */
async function dnsServerOf({ fields: { url, dnsServer }, guard }: Context): Promise<DnsServer | undefined> {
  const [, host = '', port = '53'] = /^(.*?)(?::(\d{1,5}))?$/.exec(dnsServer ?? new URL(url).hostname) ?? []
  const given = readDnsServers(dnsServer ?? '')?.[0]
  const server = given ?? { address: (await lookup(host.replace(/^\[|\]$/g, '')).catch(() => undefined))?.address ?? '', port: Number(port) }
  return server.address !== '' && guard.allows(server.address) ? server : undefined
}

export function connector(context: Context): DnsProviderConnector {
  const { url, accounts: given, trustPem } = context.fields
  const read = readAccounts(given)
  if (typeof read === 'string') throw new CertloopError('INPUT_INVALID', `The accounts of acme-dns can not be read: the text ${read}.`)
  const base = url.replace(/\/+$/, '')
  const outbound = () => context.outbound(trustPem === undefined ? {} : { trustPem })
  const apiFor = ({ username, password }: Account) => createApi({ ...context, outbound }, {
    title: 'acme-dns', secrets: [given, ...read.map((each) => each.password)], authorize: () => ({ 'x-api-user': username, 'x-api-key': password }),
    explain: (answer) => ({ text: String(bodyOf<{ error: string }>(answer).error ?? '') }),
  })
  const accountAt = (name: string): Account => {
    const found = read.find(({ fulldomain }) => fulldomain === name)
    if (!found) throw new CertloopError('DNS_RECORD_FAILED', `There is no account of acme-dns for ${name}; there are accounts for ${read.map(({ fulldomain }) => fulldomain).slice(0, 10).join(', ')}.`)
    return found
  }
  const update = ({ subdomain }: Account, txt: string) => ({ method: 'POST' as const, url: `${base}/update`, body: { subdomain, txt } })

  /** Written twice, a value would push another one out: it holds two, whatever they are. */
  async function isThere(name: string, value: string): Promise<boolean> {
    const server = await dnsServerOf(context)
    if (!server) return false
    try {
      const { answers } = await query(server, { name, type: 'TXT' }, { timeoutMs: lookMs, recursion: false, signal: context.signal })
      return answers.some((record) => record.type === 'TXT' && record.data === value)
    } catch (error) {
      if (error instanceof CertloopError && error.code === 'DNS_LOOKUP_FAILED') return false
      throw error
    }
  }

  return {
    listZones: async () => read.map(({ fulldomain }) => fulldomain),
    findZone: async (name) => read.find(({ fulldomain }) => fulldomain === name)?.fulldomain,
    async addTxt({ name, value }) {
      const account = accountAt(name)
      if (!valueForm.test(value)) throw new CertloopError('DNS_RECORD_FAILED', `acme-dns takes values of 43 letters alone, as ACME authorities ask for; this one for ${name} is another.`)
      if (!await isThere(name, value)) await apiFor(account).json(Updated, update(account, value))
      return {}
    },
    removeTxt: async () => {},
    async test(steps) {
      for (const account of read) {
        await steps.step(`Try the account of ${account.fulldomain}`, async () => {
          // Credentials are looked at first, so an empty value tells of them and changes nothing.
          const answer = await apiFor(account).send({ ...update(account, ''), body: JSON.stringify({ subdomain: account.subdomain, txt: '' }), headers: { 'content-type': 'application/json' }, accept: [400] })
          if (answer.status !== 400) throw new CertloopError('DNS_PROVIDER_UNREACHABLE', `Something other than acme-dns answered at ${base}: an empty value was taken with status ${answer.status}.`)
        }, () => 'User and password are right, and requests from here are let in.')
      }
    },
  }
}
