import { createHash, createPrivateKey } from 'node:crypto'
import { createCsr, generateKey, keySigner, readCertificate, responderKeyHash, splitPem, spkiOfKey, type Signer } from '@certloop/pki'
import { CertloopError, type IssuerId } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { LocalIssued } from './issue.ts'
import type { IssueOptions } from './issue-request.ts'
import type { Issuer } from './issuer.ts'

export interface ResponderTable { issuerId: IssuerId; certificatePem: string; sealedKey: string; renewAt: string; notAfter: string }
export interface ResponderTables { ca_responder: ResponderTable }

/** Who signs the OCSP answers of an issuer: a key of its own with a short-lived certificate, so that the CA key rests. */
export interface Responder { signer: Signer; /** DER. */ certificate: Buffer; keyHash: Buffer; renewAt: number; notAfter: number }

export interface ResponderDeps { database: Database; secrets: Secrets; issue(options: IssueOptions): Promise<LocalIssued>; now: () => Date }

/** A key and a signature each time are too dear for who asks: strangers may, as often as they like. */
const tryAgainMs = 60_000

const binding = (id: IssuerId) => `responder:${id}:key`

export function createResponders({ database, secrets, issue, now }: ResponderDeps) {
  const opened = new Map<IssuerId, Promise<Responder>>()
  const failures = new Map<IssuerId, { at: number; error: unknown }>()
  const { db } = database

  const open = ({ issuerId, certificatePem, sealedKey, renewAt, notAfter }: ResponderTable): Responder => {
    const key = createPrivateKey(secrets.open(sealedKey, binding(issuerId)).toString())
    const certificate = splitPem(certificatePem)[0]?.der
    if (!certificate) throw new CertloopError('INTERNAL', `The responder of ${issuerId} has no certificate.`)
    return { signer: keySigner(key), certificate, keyHash: responderKeyHash(spkiOfKey(key)), renewAt: new Date(renewAt).getTime(), notAfter: new Date(notAfter).getTime() }
  }

  const stored = async (id: IssuerId): Promise<ResponderTable | undefined> => db.selectFrom('ca_responder').selectAll().where('issuerId', '=', id).executeTakeFirst()
  const isFresh = (row: Pick<ResponderTable, 'renewAt'>) => new Date(row.renewAt) > now()

  /** A new key and certificate; of two replicas at once both certificates are good, and the last stored is used. */
  async function make({ id, name, keyAlgorithm, certificate, settings }: Issuer): Promise<ResponderTable> {
    const keyPem = await generateKey(keyAlgorithm.startsWith('rsa') ? 'rsa-2048' : 'ec-256')
    const commonName = `OCSP ${name}`.slice(0, 64)
    // The Baseline Requirements (7.1.2.8) ask for country and organisation, as of CAs.
    const subject = settings.style === 'public' && certificate ? readCertificate(certificate.certificatePem).subjectFields.filter(({ type }) => type === 'C' || type === 'O').map(({ type, value }) => ({ type, value })) : []
    const csrPem = await createCsr({ privateKeyPem: keyPem, commonName, subject, names: [] })
    const reference = `responder:${id}:${createHash('sha256').update(csrPem).digest('hex').slice(0, 32)}`
    const { chainPem: [certificatePem = ''] } = await issue({ reference, csrPem, names: [], commonName, subject, validityDays: null, profile: 'ocsp-responder', issuerId: id })
    const { notBefore, notAfter } = readCertificate(certificatePem)
    const renewAt = new Date(notBefore.getTime() + (notAfter.getTime() - notBefore.getTime()) * (2 / 3))
    const row: ResponderTable = { issuerId: id, certificatePem, sealedKey: secrets.seal(keyPem, binding(id)), renewAt: iso(renewAt), notAfter: iso(notAfter) }
    const { issuerId: _id, ...change } = row
    await db.insertInto('ca_responder').values(row).onConflict((c) => c.column('issuerId').doUpdateSet(change)).execute()
    return row
  }

  async function load(issuer: Issuer): Promise<Responder> {
    const row = await stored(issuer.id)
    if (row && isFresh(row)) return open(row)
    try {
      return open(await makeUnlessFailed(issuer))
    } catch (error) {
      // An issuer about to end, or whose token is away: the old certificate does as long as it is valid.
      if (row && new Date(row.notAfter) > now()) return open(row)
      throw error
    }
  }

  async function makeUnlessFailed(issuer: Issuer): Promise<ResponderTable> {
    const failed = failures.get(issuer.id)
    const since = failed ? now().getTime() - failed.at : 0
    if (failed && since >= 0 && since < tryAgainMs) throw failed.error
    try {
      const made = await make(issuer)
      failures.delete(issuer.id)
      return made
    } catch (error) {
      failures.set(issuer.id, { at: now().getTime(), error })
      throw error
    }
  }

  return {
    /** @throws CertloopError as issuing does */
    async of(issuer: Issuer): Promise<Responder> {
      const present = await opened.get(issuer.id)?.catch(() => undefined)
      if (present && present.renewAt > now().getTime()) return present
      const loading = load(issuer)
      opened.set(issuer.id, loading)
      loading.catch(() => opened.delete(issuer.id))
      return loading
    },
  }
}
export type Responders = ReturnType<typeof createResponders>
