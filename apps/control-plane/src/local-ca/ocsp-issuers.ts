import type { IssuerId } from '@certloop/contract'
import { certificateParts, issuerHashes, type CertId, type IssuerHashes } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { listIssuers } from './issuer-store.ts'

/** A stranger's issuer is looked for in the database this often at most. */
const lookAgainMs = 400

/** Issuers by how requests name them, read again when one is not found. */
interface KnownIssuer { id: IssuerId; hashes: Record<string, IssuerHashes> }

/** Finds the issuer that a request names by its hashes; undefined when it is none of ours. */
export function createIssuerLookup({ db }: Database): (certId: CertId) => Promise<IssuerId | undefined> {
  let known: KnownIssuer[] = []
  let knownAt = Number.NEGATIVE_INFINITY
  let loading: Promise<void> | undefined

  async function loadIssuers(): Promise<void> {
    const begun = performance.now()
    known = (await listIssuers(db)).flatMap(({ id, certificate }) => {
      if (!certificate) return []
      const { subject, spki } = certificateParts(certificate.certificatePem)
      return [{ id, hashes: issuerHashes({ subject: subject.raw, spki: spki.raw }) }]
    })
    knownAt = begun
  }

  const fits = ({ hashes }: KnownIssuer, { hashAlgorithm, issuerNameHash, issuerKeyHash }: CertId) => {
    const own = Object.hasOwn(hashes, hashAlgorithm) ? hashes[hashAlgorithm] : undefined
    return own !== undefined && own.issuerNameHash === issuerNameHash && own.issuerKeyHash === issuerKeyHash
  }

  return async (certId) => {
    const found = known.find((one) => fits(one, certId))
    if (found || performance.now() - knownAt < lookAgainMs) return found?.id
    // Who comes meanwhile waits too: before the first look every issuer would seem a stranger.
    await (loading ??= loadIssuers().finally(() => { loading = undefined }))
    return known.find((one) => fits(one, certId))?.id
  }
}
