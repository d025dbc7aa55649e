import { CertloopError, type Issuer as IssuerResource, type IssuerCertificate as CertificateResource, type IssuerImport, type IssuerInput, type IssuerId } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import type { Db } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import type { CaAddresses } from './addresses.ts'
import { listCrls, type CrlRow } from './crl-store.ts'
import { openUploaded } from './issuer-upload.ts'
import type { Issuer, IssuerCertificate } from './issuer.ts'
import type { LocalCa } from './local-ca.ts'
import type { NewIssuer } from './issuer-making.ts'
import { getIssuer, listIssuers } from './issuer-store.ts'
import { isInNetwork } from './network.ts'

export interface IssuerRouteDeps { db: Db; localCa: LocalCa }

function showCertificate({ id, signedBy, certificatePem, outsideChain }: IssuerCertificate): CertificateResource {
  const { subject, issuer, serialNumber, fingerprint, notBefore, notAfter } = readCertificate(certificatePem)
  return { id, signedBy, subject, issuer, serialNumber, fingerprint, notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString(), certificatePem, outsideChain }
}

const pathOf = ({ issuerId, scope }: CrlRow): string => `/crl/${issuerId}${scope === 'full' ? '' : `-${scope.replace('shard:', '')}`}.crl`

function showIssuer(issuer: Issuer, crls: readonly CrlRow[], addresses: CaAddresses | undefined): IssuerResource {
  const { id, name, slot, kind, status, subject, keyAlgorithm, keySource, settings, csrPem, certificate, certificates, successorId, createdAt, retiredAt } = issuer
  const { style, crlShards, crlHours, deltaCrl, ocspMinutes, pathLength, nameConstraints } = settings
  return {
    id, name, slot, kind, status, subject, keyAlgorithm, keySource, style, crlShards, crlHours, deltaCrl, ocspMinutes, pathLength, nameConstraints: nameConstraints && { permitted: [...nameConstraints.permitted], excluded: [...nameConstraints.excluded] },
    csrPem: status === 'pending' ? csrPem : null, certificateId: certificate?.id ?? null, certificates: certificates.map(showCertificate), successorId, notAfter: certificate?.notAfter.toISOString() ?? null,
    crls: crls.filter(({ issuerId }) => issuerId === id).map((row) => ({ scope: row.scope, number: row.number, thisUpdate: row.thisUpdate, nextUpdate: row.nextUpdate, entries: row.entries, bytes: row.bytes, path: pathOf(row) })),
    addresses: addresses ? { issuer: addresses.issuer(id), crl: addresses.crl(id, null), ocsp: addresses.ocsp(id) } : null, createdAt: createdAt.toISOString(), retiredAt: retiredAt?.toISOString() ?? null,
  }
}

/** @throws CertloopError INPUT_INVALID for constraints that are no names or networks */
function checkConstraints({ nameConstraints }: IssuerInput): void {
  const all = [...nameConstraints?.permitted ?? [], ...nameConstraints?.excluded ?? []]
  const fields = all.flatMap(({ type, value }) => {
    const isGood = type === 'ip' ? isInNetwork(value.split('/')[0] ?? '', value) : type === 'dns' ? /^$|^[a-z0-9.-]+$/.test(value) : /^[\x21-\x7e]+$/.test(value)
    return isGood ? [] : [`nameConstraints: ${JSON.stringify(value)} is no ${type === 'ip' ? 'network such as 10.0.0.0/8' : 'name in lower case'}`]
  })
  if (fields.length > 0) throw new CertloopError('INPUT_INVALID', 'The name constraints can not be used.', { fields })
}

const usualRootDays = 3652
const usualIntermediateDays = 1826

function wishOf(input: IssuerInput): NewIssuer {
  checkConstraints(input)
  const { name, commonName, subject = [], keyAlgorithm, hash = null, pkcs11Label, signedBy, profile, nameConstraints = null, crlShards, crlHours, deltaCrl, ocspMinutes } = input
  const isRoot = signedBy === 'self'
  const { validityDays = isRoot ? usualRootDays : usualIntermediateDays, pathLength = isRoot ? null : 0 } = input
  const publishing = Object.fromEntries(Object.entries({ crlShards, crlHours, deltaCrl, ocspMinutes }).filter(([, value]) => value !== undefined))
  return {
    name, commonName, subject, keyAlgorithm, validityDays, signedBy: signedBy === 'outside' ? null : signedBy, ...(profile === undefined ? {} : { profile }),
    ...(pkcs11Label === undefined ? {} : { key: { source: 'pkcs11', label: pkcs11Label } }), settings: { hash, pathLength, nameConstraints, ...publishing },
  }
}

export function registerIssuerRoutes(app: App, { db, localCa }: IssuerRouteDeps): void {
  const { issuerService: service, crls, addresses } = localCa
  const show = async (issuer: Issuer) => showIssuer(issuer, await listCrls(db, issuer.id), addresses())
  const read = async (id: IssuerId) => show(await getIssuer(db, id))

  implement(app, 'listIssuers', async () => {
    const lists = await listCrls(db)
    return { items: (await listIssuers(db)).map((issuer) => showIssuer(issuer, lists, addresses())) }
  })
  implement(app, 'getIssuer', ({ params }) => read(params.id))
  implement(app, 'createIssuer', async ({ body }) => show(await service.create(wishOf(body))))
  implement(app, 'importIssuer', async ({ body }: { body: IssuerImport }) => show(await service.import({ name: body.name, style: body.style, ...await openUploaded(body) })))
  implement(app, 'configureIssuer', async ({ params, body }) => show(await service.configure(params.id, body)))
  implement(app, 'installIssuerCertificate', async ({ params, body }) => show(await service.installCertificate(params.id, body.certificatesPem)))
  implement(app, 'preferIssuerCertificate', async ({ params, body }) => show(await service.prefer(params.id, body.certificateId)))
  implement(app, 'rollOverIssuer', async ({ params, body }) => show(await service.rollOver(params.id, body)))
  implement(app, 'crossSignIssuer', async ({ params, body }) => show(await service.crossSign(params.id, body.signedBy, body.validityDays)))
  implement(app, 'activateIssuer', async ({ params }) => show(await service.takeSlot(params.id)))
  implement(app, 'retireIssuer', async ({ params }) => show(await service.retire(params.id)))
  implement(app, 'publishCrl', async ({ params }) => {
    await crls.publish(params.id)
    return read(params.id)
  })
}
