import type { BodyOf } from '@certloop/api-client'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import { usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'
import { findIssuer, issuerArgument } from './find-ca.ts'
import { showIssuer } from './issuer-lines.ts'

export const publishingOptions = {
  'crl-hours': { type: 'string', value: 'HOURS', help: 'how long a revocation list is valid, 1 to 8784; a new one comes at half of it. Default 168' },
  'crl-shards': { type: 'string', value: 'COUNT', help: 'lists beside the full one, among which new certificates are spread, 0 to 1024; default 0' },
  'delta-crl': { type: 'boolean', help: 'delta lists beside the full one (--no-delta-crl)' },
  'ocsp-minutes': { type: 'string', value: 'MINUTES', help: 'how long an OCSP answer may be kept by others, 1 to 10080; default 60, and 2880 in public style' },
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof publishingOptions>['options']

/** Only what was given. @throws Failure */
export function publishingOf(o: Options): BodyOf<'configureIssuer'> {
  const crlHours = wholeNumber('crl-hours', o['crl-hours'], 1, 8784)
  const crlShards = wholeNumber('crl-shards', o['crl-shards'], 0, 1024)
  const ocspMinutes = wholeNumber('ocsp-minutes', o['ocsp-minutes'], 1, 10_080)
  const deltaCrl = o['delta-crl']
  return { ...(crlHours === undefined ? {} : { crlHours }), ...(crlShards === undefined ? {} : { crlShards }), ...(ocspMinutes === undefined ? {} : { ocspMinutes }), ...(deltaCrl === undefined ? {} : { deltaCrl }) }
}

export const issuerConfigure = defineCommand({
  noun: 'issuer', verb: 'configure', summary: 'How it publishes: life of lists and OCSP answers, shards, deltas',
  args: issuerArgument, options: publishingOptions,
  examples: ['issuer configure "Company Issuing CA" --crl-hours 48 --ocsp-minutes 30', 'issuer configure "Company Issuing CA" --delta-crl'],
  notes: ['What is not given stays. Lists are made anew at once; more shards count for certificates issued from now on.'],
  async run(context, { args, options }) {
    const body = publishingOf(options)
    if (Object.keys(body).length === 0) throw usage('Nothing to change was given.', 'See "certloop issuer configure --help".')
    const id = await findIssuer(context, args.issuer)
    await showIssuer(context, await (await context.client()).call('configureIssuer', { params: { id }, body }), 'Saved; its lists are made anew.')
  },
})

export const issuerPublishCrl = defineCommand({
  noun: 'issuer', verb: 'publish-crl', summary: 'Make its revocation lists anew now',
  args: issuerArgument, options: {}, examples: ['issuer publish-crl "Company Issuing CA"'],
  notes: ['A revocation does this by itself. By hand it is for those who need a list with a later end before the control plane is stopped for long.'],
  async run(context, { args }) {
    const id = await findIssuer(context, args.issuer)
    await showIssuer(context, await (await context.client()).call('publishCrl', { params: { id } }), 'The lists are made anew and served. Caches may hold the ones before for up to an hour.')
  },
})
