import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto'
import { newId, type KeyAlgorithm } from '@certloop/contract'
import {
  authorityKeyIdentifier, basicConstraints, buildCertificate, certificateParts, generateKey, keyIdOfSpki, keySigner, keyUsage, nameOfCommonName, readCertificate, serialHex, spkiOfKey,
  subjectKeyIdentifier, type Signer,
} from '@certloop/pki'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { insertIssuer, listIssuers, type IssuerId, type IssuerSlot, type IssuerTable } from './local-ca-store.ts'
import { lifetimeOf, type Lifetime } from './profiles.ts'

const rootDays = 3652
const intermediateDays = 1826

/** A serial number of 128 random bits, never zero (RFC 5280, 4.1.2.2). Lower-case hex. */
export function newSerialNumber(): string {
  for (;;) {
    const bytes = randomBytes(16)
    if (bytes.some((byte) => byte !== 0)) return serialHex(bytes)
  }
}

const issuerKeyBinding = (id: IssuerId): string => `issuer:${id}:key`

/** An issuer ready to sign. */
export interface OpenIssuer extends Lifetime { row: IssuerTable; subject: Buffer; keyId: Buffer; signer: Signer }

/** Opens issuers and keeps them: what a row says of its key and certificate never changes. */
export function issuerOpener(secrets: Secrets): (row: IssuerTable) => OpenIssuer {
  const opened = new Map<IssuerId, OpenIssuer>()
  return (row) => {
    const present = opened.get(row.id)
    if (present) return present
    const parts = certificateParts(row.certificatePem)
    const key = createPrivateKey(secrets.open(row.sealedKey, issuerKeyBinding(row.id)).toString())
    const made: OpenIssuer = {
      row, subject: parts.subject.raw, keyId: keyIdOfSpki(parts.spki.raw), notBefore: new Date(row.notBefore), notAfter: new Date(row.notAfter), signer: keySigner(key),
    }
    opened.set(row.id, made)
    return made
  }
}

interface NewIssuer { slot: IssuerSlot; title: string; keyAlgorithm: KeyAlgorithm; days: number; parent?: { row: IssuerTable; key: KeyObject; lifetime: Lifetime } }

async function makeIssuer({ slot, title, keyAlgorithm, days, parent }: NewIssuer, secrets: Secrets, now: Date): Promise<{ row: IssuerTable; key: KeyObject; lifetime: Lifetime }> {
  const id = newId('iss', now)
  const keyPem = await generateKey(keyAlgorithm)
  const key = createPrivateKey(keyPem)
  const spki = spkiOfKey(key)
  const keyId = keyIdOfSpki(spki)
  // The key id in the name keeps the CAs of two installations apart in trust stores.
  const subject = nameOfCommonName(`${title} ${keyId.toString('hex').slice(0, 8)}`)
  const lifetime = lifetimeOf(days, now, parent?.lifetime)
  const der = await buildCertificate({
    serialNumber: newSerialNumber(), subject, spki, ...lifetime,
    issuer: parent ? certificateParts(parent.row.certificatePem).subject.raw : subject,
    extensions: [
      basicConstraints(true, parent ? 0 : undefined), keyUsage(['keyCertSign', 'cRLSign']), subjectKeyIdentifier(keyId),
      authorityKeyIdentifier(parent ? keyIdOfSpki(spkiOfKey(parent.key)) : keyId),
    ],
  }, keySigner(parent?.key ?? key))
  const facts = readCertificate(der)
  const row: IssuerTable = {
    id, slot, parentId: parent?.row.id ?? null, status: 'active', subject: facts.subject, keyAlgorithm, notBefore: iso(facts.notBefore), notAfter: iso(facts.notAfter),
    certificatePem: facts.pem, sealedKey: secrets.seal(keyPem, issuerKeyBinding(id)), createdAt: iso(now),
  }
  return { row, key, lifetime }
}

/**
 * Makes root (ECDSA P-384, 10 years) and intermediate (P-256, 5 years) unless they are there. Both are stored in
 * one transaction; when two replicas start at once, one pair is kept and the other forgotten.
 */
export async function ensureHierarchy(database: Database, secrets: Secrets, now: Date): Promise<void> {
  if ((await listIssuers(database.db)).some(({ slot }) => slot === 'intermediate')) return
  const root = await makeIssuer({ slot: 'root', title: 'Certloop Root CA', keyAlgorithm: 'ec-384', days: rootDays }, secrets, now)
  const intermediate = await makeIssuer({ slot: 'intermediate', title: 'Certloop Issuing CA', keyAlgorithm: 'ec-256', days: intermediateDays, parent: root }, secrets, now)
  await database.transaction(async (tx) => {
    if (await insertIssuer(tx, root.row)) await insertIssuer(tx, intermediate.row)
  })
}
