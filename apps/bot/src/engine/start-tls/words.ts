import { type StartTls, startTlsNames } from '@certloop/contract'

/** A server's own words, safe to show and short. */
export const quoted = (text: string): string => JSON.stringify(text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 200))

export const notOffered = (what = 'STARTTLS'): Error => new Error(`The server does not offer ${what}.`)

export function strange(kind: StartTls, said: string): Error {
  const [protocol] = startTlsNames[kind].split(' ')
  return new Error(`What listens there does not speak ${protocol}; it said ${quoted(said)}.`)
}
