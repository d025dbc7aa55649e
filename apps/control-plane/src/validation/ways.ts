import { CertloopError, validationDefaults, type BotId, type ValidationMethod, type ValidationSettings } from '@certloop/contract'
import type { ProofWay, WantedProof } from '@certloop/plugin-kit'
import { fromJson } from '../database/columns.ts'
import type { OrderRow } from '../order/order-store.ts'

/** What is answered over plain http by the control plane itself. */
export const answeredPath = /^\/\.well-known\/acme-challenge\/[A-Za-z0-9_-]{1,300}$/
/** What a bot takes (PlaceProofPayload). */
const filePath = /^\/\.well-known\/[A-Za-z0-9._/-]{1,300}$/
export const defaultListenOn = '0.0.0.0:443'

export const settingsOf = ({ validation }: Pick<OrderRow, 'validation'>): ValidationSettings => ({ ...validationDefaults, ...fromJson<Partial<ValidationSettings>>(validation) })

const fits: Record<Exclude<ValidationMethod, 'none' | 'manual'>, (way: ProofWay) => boolean> = {
  'file': (way) => way.kind === 'http' && filePath.test(way.path),
  'http': (way) => way.kind === 'http' && answeredPath.test(way.path),
  'dns': (way) => way.kind === 'dns' && way.recordType === 'TXT' && !way.persist,
  'dns-persist': (way) => way.kind === 'dns' && way.persist,
  'tls-alpn': (way) => way.kind === 'tls-alpn',
}
const byHand = (ways: readonly ProofWay[], place: ValidationSettings['place']): ProofWay | undefined =>
  (place === 'file' ? ways.find((way) => way.kind === 'http') : ways.find((way) => way.kind === 'dns' && !way.persist) ?? ways.find((way) => way.kind === 'dns'))

/** Methods of a configuration by which this proof could be given. */
function methodsFor(ways: readonly ProofWay[]): string[] {
  const able = (Object.keys(fits) as (keyof typeof fits)[]).filter((method) => ways.some(fits[method]))
  return [...able, ...(['dns', 'file'] as const).filter((place) => byHand(ways, place)).map((place) => `manual (${place === 'dns' ? 'a DNS record' : 'a file'})`)]
}

const titleOf = ({ name, wildcard }: Pick<WantedProof, 'name' | 'wildcard'>) => (wildcard ? `*.${name}` : name)

/**
 * How a name is proven, as the configuration wants it.
 * @throws CertloopError VALIDATION_METHOD_UNAVAILABLE with the ways that are there; CONFIGURATION_INCOMPLETE
 */
export function chooseWay(proof: Pick<WantedProof, 'name' | 'wildcard' | 'ways'>, { method, place, path }: ValidationSettings): ProofWay {
  const title = titleOf(proof)
  const way = method === 'none' ? undefined : method === 'manual' ? byHand(proof.ways, place) : proof.ways.find(fits[method])
  if (!way) {
    const others = methodsFor(proof.ways)
    const wanted = method === 'none' ? 'the configuration names no way of validation' : `the configuration wants "${method}"${method === 'manual' ? ` with ${place === 'dns' ? 'a DNS record' : 'a file'}` : ''}`
    const there = others.length === 0 ? 'The authority offers no way that Certloop knows.' : `For this name the authority takes: ${others.join(', ')}.`
    throw new CertloopError('VALIDATION_METHOD_UNAVAILABLE', `${title} is to be proven, and ${wanted}. ${there}`, { name: title, methods: others })
  }
  if (method === 'file' && path === null) throw new CertloopError('CONFIGURATION_INCOMPLETE', `${title} is to be proven by a file, and the configuration names no folder that the domain serves.`, { name: title })
  return way
}

export interface Place { botId: BotId | null; recordName: string | null; zone: string | null }
const elsewhere: Place = { botId: null, recordName: null, zone: null }
/** Who places it and where, as far as that is known before anybody is asked. @param firstBot of the first target */
export function placeOf(way: ProofWay, settings: ValidationSettings, firstBot: BotId | null): Place {
  const botId = settings.botId ?? firstBot
  if (settings.method === 'file' && way.kind === 'http') return { botId, recordName: way.path, zone: settings.path }
  if (settings.method === 'tls-alpn') return { botId, recordName: settings.listenOn ?? defaultListenOn, zone: null }
  if (settings.method === 'http' && way.kind === 'http') return { ...elsewhere, recordName: way.path }
  return elsewhere
}
