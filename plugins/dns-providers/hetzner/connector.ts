import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { again, eventuallySo, untilDone, untilWritten } from '../shared/again.ts'
import { bodyOf, createApi, type Problem, resetAt } from '../shared/api.ts'
import { possibleZones, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const Zones = Type.Object({ zones: Type.Array(Type.Object({ id: Type.Number(), name: Type.String(), mode: Type.String() })), meta: Type.Optional(Type.Object({ pagination: Type.Optional(Type.Object({ next_page: Type.Optional(Type.Union([Type.Number(), Type.Null()])) })) })) })
const RecordSet = Type.Object({ rrset: Type.Object({ records: Type.Array(Type.Object({ value: Type.String() })) }) })
const Action = Type.Object({ action: Type.Object({ id: Type.Number(), status: Type.String(), error: Type.Optional(Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.String() })])) }) })

interface ErrorBody { error: { code?: string; message?: string } }
const ofCredentials = new Set(['unauthorized', 'forbidden', 'token_readonly'])
/** Another action is under way, or the zone was changed in the same moment. */
const overtaken = new Set(['conflict', 'locked'])
const hasNoTime = new Set([...overtaken, 'rate_limit_exceeded', 'maintenance', 'resource_unavailable', 'service_error', 'server_error', 'timeout', 'bad_gateway'])
const codeOf = (answer: OutboundResponse) => String(bodyOf<ErrorBody>(answer).error?.code ?? '')

function explain(answer: OutboundResponse): Problem {
  const code = codeOf(answer)
  const text = `${String(bodyOf<ErrorBody>(answer).error?.message ?? '')}${code === '' ? '' : ` (${code})`}`
  if (ofCredentials.has(code)) return { text, kind: 'refused' }
  return { text, retryAt: resetAt(answer), ...(hasNoTime.has(code) ? { kind: 'busy' as const } : {}) }
}

/** Values are added to a set and taken from it by calls of their own, so nothing of others is ever written. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { apiToken, apiAddress = 'https://api.hetzner.cloud/v1' } = context.fields
  const base = baseAddress(apiAddress)
  const api = createApi(context, { title: 'Hetzner', secrets: [apiToken], authorize: () => ({ authorization: `Bearer ${apiToken}` }), explain })

  const page = (query: Record<string, string>) => api.json(Zones, { method: 'GET', url: `${base}/zones?${new URLSearchParams(query).toString()}` })
  const isPrimary = ({ mode }: { mode: string }) => mode === 'primary'
  const zoneId = async (zone: string) => (await page({ name: zone })).zones.find((each) => each.name === zone && isPrimary(each))?.id
  async function setAddress(record: Pick<TextRecord, 'zone' | 'name'>): Promise<string> {
    const id = await zoneId(record.zone)
    if (id === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Hetzner shows no primary zone ${record.zone} in the project of this token.`)
    return `${base}/zones/${id}/rrsets/${encodeURIComponent(relativeName(record))}/TXT`
  }
  /** undefined: there is no set. */
  const valuesAt = async (address: string) => (await api.jsonOrNot(RecordSet, { method: 'GET', url: address }))?.rrset.records.map(({ value }) => value)

  async function act(address: string, body: object): Promise<string> {
    const { action } = await untilDone(context, async () => {
      const answer = await api.send({ method: 'POST', url: address, body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, accept: [409, 423] })
      if (answer.status < 300) return api.read(Action, answer)
      if (overtaken.has(codeOf(answer))) return again
      throw api.failure(answer)
    }, { giveUp: 'Hetzner: other changes of the same zone are under way; it is tried again later.', firstWaitMs: 500 })
    await ended(action)
    return String(action.id)
  }
  async function ended(first: Static<typeof Action>['action']): Promise<void> {
    let action = first
    const isOver = await eventuallySo(context, async () => {
      if (action.status === 'running') ({ action } = await api.json(Action, { method: 'GET', url: `${base}/actions/${action.id}` }))
      return action.status !== 'running'
    }, { everyMs: 1000, limitMs: 60_000 })
    if (!isOver) throw new CertloopError('DNS_PROVIDER_UNREACHABLE', `Hetzner has not ended action ${action.id} within a minute; it is looked at again.`)
    if (action.status !== 'success') throw new CertloopError('DNS_RECORD_FAILED', `Hetzner did not do it: ${api.clean(action.error ? `${action.error.message} (${action.error.code})` : action.status)}`)
  }
  async function listZones(): Promise<string[]> {
    const names: string[] = []
    for (let number = 1; ;) {
      const { zones, meta } = await page({ page: String(number), per_page: '50' })
      names.push(...zones.filter(isPrimary).map(({ name }) => name))
      const next = meta?.pagination?.next_page
      if (!next || next <= number) return names
      number = next
    }
  }

  return {
    listZones,
    async findZone(name) {
      for (const zone of possibleZones(name)) if ((await zoneId(zone)) !== undefined) return zone
      return undefined
    },
    async addTxt(record) {
      const address = await setAddress(record)
      return untilWritten(context, 'Hetzner', async (): Promise<Record<string, string> | typeof again> => {
        const values = await valuesAt(address)
        if (values?.some((value) => unquoted(value) === record.value)) return {}
        // The time to live of a set that is there has to stay as it is.
        const body = { records: [{ value: quoted(record.value) }], ...(values === undefined ? { ttl: record.ttl } : {}) }
        const actionId = await act(`${address}/actions/add_records`, body).catch(async (error: unknown): Promise<typeof again> => {
          const wasRefused = error instanceof CertloopError && error.code === 'DNS_RECORD_FAILED' && values === undefined
          if (wasRefused && (await valuesAt(address)) !== undefined) return again
          throw error
        })
        return actionId === again ? again : { actionId }
      })
    },
    async removeTxt(record) {
      const address = await setAddress(record)
      const ours = (await valuesAt(address))?.filter((value) => unquoted(value) === record.value) ?? []
      if (ours.length > 0) await act(`${address}/actions/remove_records`, { records: ours.map((value) => ({ value })) })
    },
    test: (steps) => testByReading(steps, { title: 'Hetzner', zones: listZones, read: async (zone, name) => valuesAt(await setAddress({ zone, name })), noZone: 'Look whether the token belongs to the project of the zones. Zones that are still in the former DNS Console have to be moved first.' }),
  }
}
