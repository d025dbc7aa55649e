import type { AuthorityPreset, RateLimit } from '@certloop/contract'
import type { CertificateType } from '@certloop/plugin-kit'

const hour = 3600
const week = 7 * 24 * hour
const limit = (kind: RateLimit['kind'], count: number, seconds: number): RateLimit => ({ kind, count, seconds, renewalsCount: false })

interface Known { id: string; title: string; directoryUrl: string; note: string; eab?: boolean; isPublic?: boolean; limits?: RateLimit[]; ended?: string; certificateTypes?: readonly CertificateType[] }
const eabNote = 'Needs an external account (EAB).'

/** Public directories. Sorted as a form shows them. */
const known: readonly Known[] = [
  { id: 'lets-encrypt', title: 'Let\'s Encrypt', directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory', note: 'Free; needs no account of another kind. Profiles: classic, tlsserver, shortlived (IP addresses by shortlived alone).', limits: [limit('order', 300, 3 * hour), limit('domain', 50, week), limit('same-names', 5, week), limit('failure', 5, hour)] },
  { id: 'lets-encrypt-staging', title: 'Let\'s Encrypt (staging)', directoryUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory', note: 'To try things out: its roots are trusted by nobody.', isPublic: false, limits: [limit('order', 1500, 3 * hour), limit('same-names', 30_000, week), limit('failure', 200, hour)] },
  { id: 'google', title: 'Google Trust Services', directoryUrl: 'https://dv.acme-v02.api.pki.goog/directory', note: `${eabNote} Make a key with "gcloud publicca external-account-keys create"; it makes one account, within seven days.`, eab: true },
  { id: 'google-staging', title: 'Google Trust Services (staging)', directoryUrl: 'https://dv.acme-v02.test-api.pki.goog/directory', note: `${eabNote} Its keys come from the staging environment; its roots are trusted by nobody.`, eab: true, isPublic: false },
  { id: 'zerossl', title: 'ZeroSSL', directoryUrl: 'https://acme.zerossl.com/v2/DV90', note: `${eabNote} From the page "Developer" of the ZeroSSL account. It can take minutes to issue.`, eab: true },
  { id: 'ssl-com-rsa', title: 'SSL.com (RSA)', directoryUrl: 'https://acme.ssl.com/sslcom-dv-rsa', note: `${eabNote} From the page "API credentials" of the SSL.com account.`, eab: true },
  { id: 'ssl-com-ecc', title: 'SSL.com (ECC)', directoryUrl: 'https://acme.ssl.com/sslcom-dv-ecc', note: `${eabNote} From the page "API credentials" of the SSL.com account.`, eab: true },
  { id: 'sectigo-dv', title: 'Sectigo (DV)', directoryUrl: 'https://acme.sectigo.com/v2/DV', note: `${eabNote} From the ACME account in Sectigo's console.`, eab: true },
  { id: 'sectigo-ov', title: 'Sectigo (OV)', directoryUrl: 'https://acme.sectigo.com/v2/OV', note: `${eabNote} The organization has to be validated there before.`, eab: true, certificateTypes: ['ov'] },
  { id: 'sectigo-ev', title: 'Sectigo (EV)', directoryUrl: 'https://acme.sectigo.com/v2/EV', note: `${eabNote} The organization has to be validated there before.`, eab: true, certificateTypes: ['ev'] },
  { id: 'sectigo-enterprise', title: 'Sectigo Certificate Manager', directoryUrl: 'https://acme.enterprise.sectigo.com', note: `${eabNote} Domains are validated in the console, so that no proof is asked for here.`, eab: true, certificateTypes: ['dv', 'ov', 'ev'] },
  { id: 'actalis', title: 'Actalis', directoryUrl: 'https://acme-api.actalis.com/acme/directory', note: `${eabNote} From the ACME page of the Actalis account. Without a paid plan one name and its www.`, eab: true },
  { id: 'digicert-certcentral', title: 'DigiCert CertCentral', directoryUrl: 'https://acme.digicert.com/v2/acme/directory/', note: `${eabNote} From "Automation, ACME directory URLs" in CertCentral; it is bound to a product.`, eab: true, certificateTypes: ['dv', 'ov', 'ev'] },
  { id: 'digicert-one', title: 'DigiCert ONE', directoryUrl: 'https://one.digicert.com/mpki/api/v1/acme/v2/directory', note: `${eabNote} From the certificate profile in Trust Lifecycle Manager.`, eab: true, isPublic: false, certificateTypes: ['dv', 'ov', 'ev', 'other'] },
  { id: 'globalsign-atlas', title: 'GlobalSign Atlas', directoryUrl: 'https://emea.acme.atlas.globalsign.com/directory', note: `${eabNote} From the Atlas portal.`, eab: true, certificateTypes: ['dv', 'ov'] },
  { id: 'litessl', title: 'LiteSSL', directoryUrl: 'https://acme.litessl.com/acme/v2/directory', note: eabNote, eab: true },
  { id: 'freessl', title: 'FreeSSL', directoryUrl: 'https://acmepro.freessl.cn/v2/DV', note: eabNote, eab: true },
  { id: 'peeringhub', title: 'PeeringHub', directoryUrl: 'https://stica.peeringhub.io/acme', note: eabNote, eab: true, isPublic: false, certificateTypes: ['other'] },
  { id: 'buypass', title: 'Buypass Go SSL', directoryUrl: 'https://api.buypass.com/acme/directory', note: 'Ended.', ended: 'Buypass issued its last certificate on 31 October 2025. Take another authority.' },
]

export const presets: readonly AuthorityPreset[] = [
  ...known.map(({ id, title, directoryUrl, note, isPublic = true, limits = [], ended = null }) => ({ id, title, note, fields: { directoryUrl }, isPublic, limits, ended })),
  { id: 'custom', title: 'Another directory', note: 'A private authority (step-ca, Vault, EJBCA, Caddy, Pebble) or one that is not listed: enter its directory, and its root certificate where the system does not know it.', fields: {}, isPublic: false, limits: [], ended: null },
]

const plain = (url: string) => url.toLowerCase().replace(/\/+$/, '')
/** What is known of a directory. undefined: it is none of these. */
export function presetOf(directoryUrl: string): { isPublic: boolean; limits: readonly RateLimit[]; certificateTypes: readonly CertificateType[]; eab: boolean; ended: string | undefined } | undefined {
  const found = known.find((one) => plain(one.directoryUrl) === plain(directoryUrl))
  return found && { isPublic: found.isPublic ?? true, limits: found.limits ?? [], certificateTypes: found.certificateTypes ?? ['dv'], eab: found.eab ?? false, ended: found.ended }
}
