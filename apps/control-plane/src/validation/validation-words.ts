import { CertloopError, type ErrorCode, type OutsideLook, type PlaceProofPayload, type ProofExpected, type ValidationMethod } from '@certloop/contract'
import { defaultListenOn } from './ways.ts'
import { isOpenValidation } from './validation-state.ts'
import { wayOf, type ValidationRow } from './validation-store.ts'

const methodWords: Record<ValidationMethod, string> = {
  'none': 'nothing', 'file': 'a file that the bot places', 'http': 'an answer of the control plane', 'dns': 'a DNS record', 'dns-persist': 'a standing DNS record', 'tls-alpn': 'a TLS handshake that the bot answers', 'manual': 'what a person places',
}
export const methodWord = (method: ValidationMethod): string => methodWords[method]

/** What has to be seen from outside. */
export function expectedOf(row: Pick<ValidationRow, 'way' | 'name'>): ProofExpected | null {
  const way = wayOf(row)
  if (!way) return null
  if (way.kind === 'dns') return { kind: 'dns', recordName: way.recordName, recordType: way.recordType, value: way.value }
  if (way.kind === 'tls-alpn') return { kind: 'tls-alpn', name: row.name, port: way.port, digest: way.digest }
  const host = row.name.includes(':') ? `[${row.name}]` : row.name
  return { kind: 'http', url: `http://${host}${way.port === 80 ? '' : `:${way.port}`}${way.path}`, path: way.path, content: way.content }
}

/** What the bot is asked to place, and later to remove: read from the row alone, whatever the configuration says by then. */
export function botProofOf(row: ValidationRow): PlaceProofPayload['proof'] {
  const way = wayOf(row)
  if (way?.kind === 'http') return { kind: 'file', folder: row.zone ?? '', path: way.path, content: way.content }
  if (way?.kind === 'tls-alpn') return { kind: 'tls-alpn', type: row.nameType, name: row.name, digest: way.digest, listenOn: row.recordName ?? defaultListenOn }
  throw new CertloopError('INTERNAL', `Validation ${row.id} has nothing for a bot to place.`)
}

const goesOn = 'Nothing has to be pressed afterwards: it is looked for every minute at first, later every ten minutes, and the order goes on as soon as it is visible.'
function recordSteps({ recordName, recordType, value, persist }: { recordName: string; recordType: 'TXT' | 'CNAME'; value: string; persist: boolean }): string[] {
  const steps = recordType === 'TXT'
    ? [
        `At the DNS provider of the domain, add a TXT record with the name ${recordName} (many forms want the name without the domain at its end).`,
        `Its value is this text and nothing else, without quotation marks: ${value}`,
        'Leave other TXT records of that name as they are: several may be there at once.',
        `Check with "dig +short TXT ${recordName}" (on Windows "nslookup -type=TXT ${recordName}"): the value has to be among the answers.`,
      ]
    : [
        `At the DNS provider of the domain, add a CNAME record with the name ${recordName} (many forms want the name without the domain at its end).`,
        `It points to: ${value}`,
        'No other record may have that name.',
        `Check with "dig +short CNAME ${recordName}" (on Windows "nslookup -type=CNAME ${recordName}"): the answer has to be that name.`,
      ]
  return [...steps, goesOn, persist ? 'Leave the record in place: later renewals use it too.' : 'Once the order is complete, the record can be removed.']
}
function fileSteps(url: string, path: string, content: string): string[] {
  return [
    `On the web server that answers at ${url.slice(0, -path.length)}/, make the file ${path.slice(1)} below the folder that it serves as the root of the site.`,
    `The file holds this text and nothing else, without a byte-order mark: ${content}`,
    `Check with "curl -i ${url}" from a machine outside: the answer has to be status 200 with just that text, without a sign-in page in between. Every address of the name has to answer so, IPv6 too.`,
    goesOn,
    'Once the order is complete, the file can be removed.',
  ]
}

/** For a person, a step each; empty when nobody has to do anything. */
export function instructionsOf(row: Pick<ValidationRow, 'way' | 'name' | 'method' | 'state'>): string[] {
  const [way, expected] = [wayOf(row), expectedOf(row)]
  const isForPerson = row.method === 'manual' || row.state === 'waiting'
  if (!way || !isForPerson || !isOpenValidation(row.state)) return []
  if (way.kind === 'dns') return recordSteps(way)
  return way.kind === 'http' && expected?.kind === 'http' ? fileSteps(expected.url, way.path, way.content) : []
}

/** What somebody has to remove by hand where we can not. */
export function removalByHand(row: ValidationRow, hostName: string | undefined): string {
  const way = wayOf(row)
  if (way?.kind === 'dns') return `To do by hand: remove the TXT record ${row.recordName ?? way.recordName} with the value ${way.value} from the zone ${row.zone ?? 'of the name'}; leave others of that name.`
  const onHost = hostName === undefined ? 'on the host of the bot' : `on the host ${hostName}`
  if (way?.kind === 'http') return `To do by hand: remove the file ${(row.zone ?? '').replace(/\/$/, '')}${way.path} ${onHost}.`
  return `Nothing to do by hand: the bot ${onHost} stops answering on ${row.recordName} by itself once the proof has run out.`
}

/** What is in the way, of a look that did not see the proof; the one that a person can mend comes first. */
export function worstFinding({ findings }: OutsideLook): OutsideLook['findings'][0] | undefined {
  const bad = findings.filter(({ ok }) => !ok)
  return bad.find(({ error }) => error && new CertloopError(error.code, '').spec.retry === 'after-change') ?? bad.find(({ error }) => error) ?? bad[0]
}
export const seenWords = ({ title, seen }: OutsideLook['findings'][0]): string => `${title}: ${seen}`

const absent: ReadonlySet<ErrorCode> = new Set(['VALIDATION_NOT_VISIBLE', 'DNS_NAME_UNKNOWN'])
const isAbsent = ({ error }: OutsideLook['findings'][0]): boolean => error !== null && (absent.has(error.code) || (error.code === 'WEB_ANSWER_WRONG' && (error.facts['status'] === 404 || error.facts['status'] === 410)))
/** Whether a look shows that the proof is gone, as against that nothing could be seen. */
export function isGone({ visible, findings }: OutsideLook): boolean {
  const telling = findings.filter(({ ok }) => !ok)
  return !visible && telling.length > 0 && telling.every(isAbsent)
}
