import { isIPv6 } from 'node:net'
import { CertloopError, type ProofExpected } from '@certloop/contract'
import { addressesOf, hasNoWay } from './addresses.ts'
import { bad, doubt, excerpt, good, problem, type Finding, type Sight } from './finding.ts'
import { getAt, type Got } from './http-get.ts'

/** What one address of a name showed. `error` null: the proof. */
export interface Seen { address: string; title: string; words: string; error: CertloopError | null }

/** No connection came about: an authority that was led here over IPv6 tries IPv4 then. */
const isUnreached = ({ error }: Seen) => error?.code === 'WEB_PORT_CLOSED'
const isUnseen = ({ error }: Seen) => hasNoWay(String(error?.facts['errno'] ?? ''))

/**
 * Findings of all addresses of a name. What this machine has no way to is a doubt; so is IPv6 that nothing answers at, where IPv4
 * shows the proof. Every other address that does not show it is in the way: the authority may be led there.
 */
export function judgeAddresses(all: readonly Seen[]): { visible: boolean; findings: Finding[] } {
  const isShown = all.some(({ error }) => error === null)
  const isShownOverIpv4 = all.some(({ error, address }) => error === null && !isIPv6(address))
  const findings = all.map((each) => {
    const { title, words, error, address } = each
    if (error === null) return good(title, words)
    if (isUnseen(each)) return isShown ? doubt(title, error) : bad(title, error)
    if (isIPv6(address) && isUnreached(each) && isShownOverIpv4) return doubt(title, problem('WEB_ADDRESSES_DIFFER', `${error.message} Over IPv4 the proof is there; some authorities try IPv6 alone.`, { address }))
    return bad(title, isShown ? problem('WEB_ADDRESSES_DIFFER', `${error.message} Another address of the name shows the proof.`, { ...error.facts, address }) : error)
  })
  return { visible: isShown && findings.every(({ ok }) => ok), findings }
}

/** Ports that redirects may lead to, besides the one asked. */
const usualPorts = [80, 443]

/** What is wrong with an answer; undefined: it is the proof. */
function fault(got: Got, content: string, via: string): string | undefined {
  if (got.status === 200 && got.body.trimEnd() === content.trimEnd()) return undefined
  const isMoved = got.status === 200 && got.body.trim() === content.trim()
  const what = isMoved ? 'the proof with white space before it' : got.body === '' ? 'nothing' : `"${excerpt(got.body)}"`
  return `answers ${got.statusText} with ${what} (${got.body.length} characters${got.server ? `, server ${got.server}` : ''})${via}`
}

function viaWords({ urls }: Got): string {
  const redirects = urls.length - 1
  return redirects === 0 ? '' : ` after ${redirects === 1 ? 'a redirect' : `${redirects} redirects`} to ${excerpt(urls.at(-1) ?? '')}`
}

async function see(sight: Sight, url: URL, address: string, content: string): Promise<Seen> {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const title = `port ${port} at ${address}`
  try {
    const got = await getAt(sight, url, address, new Set([...usualPorts, port]))
    const wrong = fault(got, content, viaWords(got))
    if (wrong === undefined) return { address, title, words: `shows the proof${viaWords(got)}`, error: null }
    return { address, title, words: '', error: problem('WEB_ANSWER_WRONG', `${address} ${wrong}.`, { address, status: got.status }) }
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return { address, title, words: '', error }
  }
}

/** GET at every address of the name. */
export async function lookForFile(sight: Sight, { url: text, content }: Extract<ProofExpected, { kind: 'http' }>): Promise<{ visible: boolean; findings: Finding[] }> {
  const url = new URL(text)
  const { addresses, findings } = await addressesOf(sight, url.hostname.replace(/^\[|\]$/g, ''))
  const seen = judgeAddresses(await Promise.all(addresses.map((address) => see(sight, url, address, content))))
  return { visible: seen.visible && findings.every(({ ok }) => ok), findings: [...findings, ...seen.findings] }
}
