import { isIP } from 'node:net'
import { readFile } from 'node:fs/promises'
import { exitCodes, Failure, usage } from './failure.ts'
import type { StoredSignIn } from './stored.ts'

/** Where to go and as whom. */
export interface Connection { url: string; token: string; caPem?: string | undefined }

const isLoopback = (host: string) => host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * The origin of an address a person gave.
 * @throws Failure for what is no address, and for plain http over a network: the token would be readable there
 */
export function checkUrl(text: string, from: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) throw usage(`${from} is not an address: "${text}".`, 'Give one such as https://certloop.example.com:8420.')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw usage(`${from} would send the token over the network without TLS.`, `Use https://${url.host}; plain http is for this machine only.`)
  return url.origin
}

const notSignedIn = (what: string, path: string) => new Failure({ exit: exitCodes.access, what, remedy: 'Run "certloop login", or set CERTLOOP_URL and CERTLOOP_TOKEN.', where: path })

/**
 * CERTLOOP_URL and CERTLOOP_TOKEN win over what is stored. A stored token is only ever sent to the address it was made for.
 * @throws Failure when nobody is signed in
 */
export async function connectionOf(env: Record<string, string | undefined>, stored: StoredSignIn | undefined, path: string): Promise<Connection> {
  const url = urlOf(env['CERTLOOP_URL'], stored)
  if (url === undefined) throw notSignedIn(env['CERTLOOP_TOKEN'] ? 'CERTLOOP_TOKEN is set, but no address is known.' : 'You are not signed in.', path)
  const kept = stored?.url === url ? stored : undefined
  const token = env['CERTLOOP_TOKEN'] || kept?.token
  if (!token) throw notSignedIn(stored ? `CERTLOOP_URL is ${url}, but the stored sign-in is for ${stored.url}.` : 'CERTLOOP_URL is set, but there is no token for it.', path)
  return { url, token, caPem: env['CERTLOOP_CA'] ? await readCa(env['CERTLOOP_CA']) : kept?.caPem }
}

function urlOf(given: string | undefined, stored: StoredSignIn | undefined): string | undefined {
  if (given) return checkUrl(given, 'CERTLOOP_URL')
  return stored && checkUrl(stored.url, 'The stored address')
}

/** @throws Failure when the file holds no certificate */
export async function readCa(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The authority's certificate can not be read: ${error.message}.`) })
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw usage(`${file} holds no certificate in PEM form.`)
  return pem
}
