import { DerCursor, DerError, latin1Text, readChildren, readInner, type DerElement } from '../der/der-reader.ts'
import { reasonFlags, type ReasonFlag } from './crl-builder.ts'

/** What an issuing distribution point says of a list (RFC 5280, 5.2.5). */
export interface CrlScope {
  /** Addresses among the names of the distribution point; other kinds of names are left out. */
  addresses: string[]
  /** All names of the distribution point, whatever their kind, for comparing: hex of their DER. */
  names: string[]
  onlyContainsUserCerts: boolean
  onlyContainsCaCerts: boolean
  onlyContainsAttributeCerts: boolean
  /** null: all reasons. */
  onlySomeReasons: ReasonFlag[] | null
  /** Entries may be of certificates of other issuers. */
  indirect: boolean
}

/** Addresses of a DistributionPointName in its wrapper; none when it is relative to the issuer's name. */
function addressesOf(wrapper: DerElement | undefined): string[] {
  if (!wrapper) return []
  const name = readInner(wrapper)
  return name.tag === 0xa0 ? readChildren(name).filter(({ tag }) => tag === 0x86).map(latin1Text) : []
}

/** Names of a DistributionPointName in its wrapper, for comparing; one that is relative to the issuer's name counts as one name. */
function namesOf(wrapper: DerElement | undefined): string[] {
  if (!wrapper) return []
  const name = readInner(wrapper)
  return name.tag === 0xa0 ? readChildren(name).map(hexOf) : [hexOf(name)]
}
const hexOf = ({ raw }: DerElement): string => raw.toString('hex')

const isTrue = (element: DerElement | undefined): boolean => element !== undefined && element.content[0] !== 0

function flagsOf(element: DerElement): ReasonFlag[] {
  const { content } = element
  if (content.length < 2 || content.length > 3) throw new DerError('its reasons are no short bit string')
  return (Object.keys(reasonFlags) as ReasonFlag[]).filter((flag) => {
    const bit = reasonFlags[flag]
    return ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0
  })
}

/** @throws DerError */
export function readScope(element: DerElement): CrlScope {
  const cursor = new DerCursor(element)
  const point = cursor.takeIf(0xa0)
  const [onlyContainsUserCerts, onlyContainsCaCerts] = [isTrue(cursor.takeIf(0x81)), isTrue(cursor.takeIf(0x82))]
  const reasons = cursor.takeIf(0x83)
  const [indirect, onlyContainsAttributeCerts] = [isTrue(cursor.takeIf(0x84)), isTrue(cursor.takeIf(0x85))]
  return { addresses: addressesOf(point), names: namesOf(point), onlyContainsUserCerts, onlyContainsCaCerts, onlyContainsAttributeCerts, onlySomeReasons: reasons ? flagsOf(reasons) : null, indirect }
}

/** Addresses of CRLDistributionPoints, which is also the form of freshestCRL. @throws DerError */
export const readDistributionPoints = (element: DerElement): string[] => readChildren(element).flatMap((point) => addressesOf(new DerCursor(point).takeIf(0xa0)))

/** One place where a certificate's list is (RFC 5280, 4.2.1.13), as far as it is compared with a list. */
export interface PointOfCertificate {
  /** As in CrlScope; where the point has none of its own, those of the list's issuer. */
  names: string[]
  /** Names of the list's issuer when it is another than the certificate's; hex of their DER. */
  issuers: string[]
  /** The lists there are about some reasons only. */
  hasReasons: boolean
}

/** @param value of the extension CRLDistributionPoints. @throws DerError */
export const readPointsOfCertificate = (value: DerElement): PointOfCertificate[] => readChildren(value).map((point) => {
  const cursor = new DerCursor(point)
  const [name, reasons, issuer] = [cursor.takeIf(0xa0), cursor.takeIf(0x81), cursor.takeIf(0xa2)]
  const issuers = issuer ? readChildren(issuer).map(hexOf) : []
  return { names: name ? namesOf(name) : issuers, issuers, hasReasons: reasons !== undefined }
})
