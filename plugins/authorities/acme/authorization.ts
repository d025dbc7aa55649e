import { createHash } from 'node:crypto'
import { CertloopError, type WireError } from '@certloop/contract'
import { inParallel, type ProofWay, type WantedProof } from '@certloop/plugin-kit'
import type { Account, Accounts, AskingNoted } from './account.ts'
import type { AcmeFields } from './fields.ts'
import { sha256 } from './jws.ts'
import { isGone, type AcmeOrder, type Identifier } from './order.ts'
import { errorOfProblem, readProblem, wordsOf, type Problem } from './problem.ts'
import { dateOf, isText, isUrl, partsOf } from './reading.ts'
import type { Wire } from './wire.ts'

interface Challenge { type: string; url: string; status: string; token: string; issuers: string[]; accountUri: string | undefined; error: Problem | undefined }
/** RFC 8555, 7.1.4 */
export interface Authorization { url: string; status: string; identifier: Identifier; wildcard: boolean; expires: Date | null; challenges: Challenge[]; retryAfter: Date | undefined }

interface Reading { name: string; fields: AcmeFields; accounts: Accounts; wire: Wire }
const atOnce = 8

const hostPattern = /^[A-Za-z0-9.-]{1,253}$/

function readChallenge(value: unknown): Challenge[] {
  const { type, url, status, token, error, accounturi, 'issuer-domain-names': issuers } = partsOf(value)
  if (!isText(type) || !isUrl(url)) return []
  return [{
    type, url, status: isText(status) ? status : 'pending', token: isText(token) ? token : '', error: readProblem(error),
    issuers: Array.isArray(issuers) ? issuers.filter((one): one is string => isText(one) && hostPattern.test(one)) : [], accountUri: isUrl(accounturi) && !/[\s;"]/.test(accounturi) ? accounturi : undefined,
  }]
}

async function readAuthorization({ name, accounts, wire }: Reading, url: string, asking: AskingNoted): Promise<Authorization> {
  const answer = await accounts.post(url, '', asking)
  if (isGone(answer)) throw new CertloopError('ORDER_EXPIRED', `${name} does not know ${url} any more: the order ran out there.`)
  if (!answer.ok) throw wire.refusal(answer, 'other')
  const { status, identifier, wildcard, expires, challenges } = answer.json()
  const { type, value } = partsOf(identifier)
  if (!isText(status) || !isText(value) || (type !== 'dns' && type !== 'ip') || !Array.isArray(challenges)) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name}: what is at ${url} is no ACME authorization.`)
  const plain = value.toLowerCase().replace(/^\*\./, '')
  return { url, status, identifier: { type, value: plain }, wildcard: wildcard === true || value.startsWith('*.'), expires: dateOf(expires), challenges: challenges.slice(0, 20).flatMap(readChallenge), retryAfter: answer.retryAfter }
}

export const readAuthorizations = (reading: Reading, order: AcmeOrder, asking: AskingNoted): Promise<Authorization[]> =>
  inParallel(order.authorizations, atOnce, (url) => readAuthorization(reading, url, asking))

const base32 = 'abcdefghijklmnopqrstuvwxyz234567'
/** Lower-case base32 of the first ten bytes of SHA-256 of the account's address (draft-ietf-acme-dns-account-label). */
export function accountLabel(accountUrl: string): string {
  const bits = [...sha256(accountUrl).subarray(0, 10)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return `_${bits.replaceAll(/.{5}/g, (five) => base32[Number.parseInt(five, 2)] ?? '')}`
}

interface Proving { account: Account; fields: AcmeFields; host: string; /** Also for names below it, by the record that stays. */ wildcard: boolean }

/** A token gets into paths and records: nothing but the alphabet of RFC 8555, 8.1 is taken. */
const isToken = (token: string) => /^[A-Za-z0-9_-]{16,200}$/.test(token)

/** A record that stays lets the account it names have certificates: it must not name one that another authority's customer has. */
const isOfDirectory = (accountUri: string, { directoryUrl }: AcmeFields) => new URL(accountUri).host === new URL(directoryUrl).host

function wayOf(challenge: Challenge, { account, fields, host, wildcard }: Proving): ProofWay[] {
  const { type, url: id, token } = challenge
  if (type === 'dns-persist-01') {
    const [[issuer], accountUri] = [challenge.issuers, challenge.accountUri ?? account.url]
    if (issuer === undefined || !isOfDirectory(accountUri, fields)) return []
    return [{ id, kind: 'dns', recordName: `_validation-persist.${host}`, recordType: 'TXT', value: `${issuer}; accounturi=${accountUri}${wildcard ? '; policy=wildcard' : ''}`, persist: true }]
  }
  if (!isToken(token)) return []
  const keyAuthorization = `${token}.${account.key.thumbprint}`
  const digest = sha256(keyAuthorization)
  switch (type) {
    case 'http-01': return [{ id, kind: 'http', path: `/.well-known/acme-challenge/${token}`, content: keyAuthorization, port: fields.httpPort ?? 80 }]
    case 'dns-01': return [{ id, kind: 'dns', recordName: `_acme-challenge.${host}`, recordType: 'TXT', value: digest.toString('base64url'), persist: false }]
    case 'dns-account-01': return [{ id, kind: 'dns', recordName: `${accountLabel(account.url)}._acme-challenge.${host}`, recordType: 'TXT', value: digest.toString('base64url'), persist: false }]
    case 'tls-alpn-01': return [{ id, kind: 'tls-alpn', digest: digest.toString('hex'), port: fields.tlsPort ?? 443 }]
    default: return []
  }
}

/** dns-account-01 where it is wished for, or where there is no dns-01; never both, as both are "dns" to whoever places them. */
function chosen(challenges: readonly Challenge[], byAccount: boolean): Challenge[] {
  const has = (type: string) => challenges.some((one) => one.type === type)
  const left = has('dns-account-01') && (byAccount || !has('dns-01')) ? 'dns-01' : 'dns-account-01'
  return challenges.filter(({ type }) => type !== left)
}

/** What the authority saw: each way that was tried says it. */
function failureOf(name: string, { identifier, challenges, wildcard }: Authorization): WireError {
  const host = `${wildcard ? '*.' : ''}${identifier.value}`
  const problem = challenges.find(({ error }) => error)?.error ?? { type: '', detail: 'it gave no reason', identifier: undefined, instance: undefined, subproblems: [] }
  const error = errorOfProblem(problem, { authority: name, doing: 'validation' })
  const by = challenges.find((one) => one.error)?.type
  return new CertloopError(error.code, `${host}${by ? ` by ${by}` : ''}: ${error.message}`, { ...error.facts, names: host }).toWire()
}

function stateOf({ status, challenges }: Authorization): WantedProof['state'] {
  if (status === 'valid') return 'valid'
  if (status === 'invalid') return 'invalid'
  return challenges.some((one) => one.status === 'processing' || one.status === 'valid') ? 'asked' : 'wanted'
}

/** Given up or run out at the authority: the order they belong to leads nowhere. */
export const isOver = ({ status }: Authorization): boolean => ['expired', 'deactivated', 'revoked'].includes(status)

/** One proof for each authorization. */
export function proofsOf(name: string, fields: AcmeFields, account: Account, authorizations: readonly Authorization[]): WantedProof[] {
  const wildcards = new Set(authorizations.filter(({ wildcard }) => wildcard).map(({ identifier }) => identifier.value))
  return authorizations.map((authorization) => {
    const { url, identifier: { type, value: host }, wildcard, challenges } = authorization
    const state = stateOf(authorization)
    // One standing record for the name and for all below it.
    const ways = chosen(challenges, fields.dnsAccount === true).flatMap((one) => wayOf(one, { account, fields, host, wildcard: wildcards.has(host) }))
    return { id: createHash('sha256').update(url).digest('base64url'), name: host, type, wildcard, state, ways, ...(state === 'invalid' ? { error: failureOf(name, authorization) } : {}) }
  })
}

/** Tells the authority to look. A challenge that is being looked at already, or was, is left alone. */
export async function askToLook({ name, accounts, wire }: Reading, challengeUrl: string, asking: AskingNoted): Promise<void> {
  const answer = await accounts.post(challengeUrl, {}, asking)
  if (answer.ok) return noteDoubt(name, answer.value, asking)
  const present = await accounts.post(challengeUrl, '', asking)
  const [challenge] = present.ok ? readChallenge(present.json()) : []
  if (challenge && challenge.status !== 'pending') return
  if (answer.status === 404) throw new CertloopError('ORDER_EXPIRED', `${name} does not know the proof any more; the request ran out there.`)
  throw wire.refusal(answer, 'validation')
}

/** step-ca and Caddy look at once, and leave open what they could not see: nothing else tells why it does not go on. */
function noteDoubt(name: string, value: unknown, { note }: AskingNoted): void {
  const [seen] = readChallenge(value)
  if (seen?.status === 'pending' && seen.error) note?.(`${name} looked by ${seen.type} and did not see the proof: ${wordsOf(seen.error)}. It goes on wanting it.`)
}

/** Frees what waits at the authority. */
export async function giveUp(reading: Reading, order: AcmeOrder, asking: AskingNoted): Promise<number> {
  const waiting = (await readAuthorizations(reading, order, asking)).filter(({ status }) => status === 'pending')
  await inParallel(waiting, atOnce, async ({ url }) => reading.accounts.post(url, { status: 'deactivated' }, asking))
  return waiting.length
}
