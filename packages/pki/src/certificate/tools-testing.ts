import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '@certloop/test-kit'
import { openssl } from '../openssl-testing.ts'

const run = (program: string, args: readonly string[]): string => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const timestamp = (): string => `00${'ab'.repeat(32)}0000019abcdef012000004030004deadbeef`
const timestampList = (): string => {
  const one = `${(timestamp().length / 2).toString(16).padStart(4, '0')}${timestamp()}`
  const list = `${(one.length).toString(16).padStart(4, '0')}${one}${one}`
  return `04${(list.length / 2 < 128 ? '' : '81') + (list.length / 2).toString(16)}${list}`
}

const opensslConfiguration = `
[req]
distinguished_name = name
x509_extensions = all
prompt = no
string_mask = utf8only
[name]
C = DE
O = Ex, ample
OU = Web; Shop
CN = www.example.com
emailAddress = a@b.example
[all]
basicConstraints = CA:false
keyUsage = critical, digitalSignature, keyAgreement, decipherOnly
extendedKeyUsage = serverAuth, clientAuth, 1.2.3.4
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:WWW.example.com, DNS:*.xn--bcher-kva.example, IP:192.0.2.7, IP:2001:db8::7, email:a@b.example, URI:https://example.com/x, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:anna@example.com, RID:1.2.3.4, dirName:directory
authorityInfoAccess = OCSP;URI:http://ocsp.example/1, caIssuers;URI:http://ca.example/1.cer, OCSP;URI:http://ocsp.example/2
crlDistributionPoints = one, two
freshestCRL = URI:http://crl.example/delta.crl
certificatePolicies = 2.23.140.1.2.2, 1.3.6.1.4.1.99999.1, @practice
tlsfeature = status_request
noCheck = ignored
1.3.6.1.4.1.11129.2.4.2 = DER:${timestampList()}
[one]
fullname = URI:http://crl.example/1.crl, URI:ldap://crl.example/cn=1
[two]
fullname = URI:http://crl.example/2.crl
[practice]
policyIdentifier = 1.3.6.1.4.1.99999.2
CPS.1 = http://cps.example/1
CPS.2 = http://cps.example/2
userNotice.1 = @notice
[notice]
explicitText = Words
[directory]
C = DE
CN = Somebody
[ca]
basicConstraints = critical, CA:true, pathlen:3
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;DNS:example.com, permitted;IP:10.0.0.0/255.0.0.0, permitted;IP:2001:db8::/ffff:ffff::, excluded;email:.bad.example, excluded;IP:10.1.0.0/255.0.255.0, excluded;dirName:directory
`

/** A certificate of openssl, PEM. @param section "all": a leaf with every extension; "ca": with name constraints */
export function madeByOpenssl(folder: string, section: 'all' | 'ca' = 'all', key: readonly string[] = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']): string {
  const file = join(folder, 'openssl.cnf')
  writeFileSync(file, opensslConfiguration)
  return openssl(['req', '-x509', '-nodes', '-config', file, '-extensions', section, ...key, '-keyout', join(folder, 'openssl.key'), '-days', '3'])
}

const certtoolTemplate = `
cn = "www.example.com"
organization = "Example AG"
country = DE
dns_name = "www.example.com"
dns_name = "xn--bcher-kva.example"
ip_address = "192.0.2.7"
uri = "https://example.com/x"
tls_www_server
tls_www_client
signing_key
encryption_key
ocsp_uri = "http://ocsp.example/1"
ca_issuers_uri = "http://ca.example/1.cer"
crl_dist_points = "http://crl.example/1.crl"
policy1 = 2.23.140.1.2.2
policy1_url = http://cps.example
serial = 12345
activation_date = "2026-01-01 00:00:00 UTC"
expiration_date = "2026-06-01 00:00:00 UTC"
tls_feature = 5
`

/** A certificate of GnuTLS, signed with RSASSA-PSS, and what its own reader says of it. */
export function madeByCerttool(folder: string): { pem: string; text: string } {
  const program = findTool('certtool') ?? 'certtool'
  const [key, template, certificate] = ['certtool.key', 'certtool.cfg', 'certtool.pem'].map((name) => join(folder, name))
  writeFileSync(template ?? '', certtoolTemplate)
  run(program, ['--generate-privkey', '--key-type', 'rsa-pss', '--hash', 'sha256', '--salt-size', '32', '--bits', '2048', '--outfile', key ?? ''])
  run(program, ['--generate-self-signed', '--load-privkey', key ?? '', '--template', template ?? '', '--outfile', certificate ?? ''])
  const text = run(program, ['--certificate-info', '--infile', certificate ?? ''])
  return { pem: text.slice(text.indexOf('-----BEGIN')), text }
}

/** A certificate of Java's keytool, PEM. */
export function madeByKeytool(folder: string): string {
  const program = findTool('keytool') ?? 'keytool'
  const store = ['-alias', 'a', '-keystore', join(folder, 'keytool.p12'), '-storetype', 'PKCS12', '-storepass', 'changeit']
  run(program, ['-genkeypair', '-keyalg', 'EC', '-groupname', 'secp384r1', '-dname', 'CN=www.example.com, O=Example, C=DE', '-validity', '30', ...store,
    '-ext', 'SAN=dns:www.example.com,ip:192.0.2.7,email:a@b.example,uri:http://x.example', '-ext', 'KU:critical=digitalSignature,keyAgreement', '-ext', 'EKU=serverAuth,codeSigning',
    '-ext', 'CRLDP=uri:http://crl.example/1.crl', '-ext', 'AIA=caIssuers:uri:http://ca.example/1.cer,ocsp:uri:http://ocsp.example'])
  return run(program, ['-exportcert', '-rfc', ...store])
}

/** A certificate of NSS, PEM. */
export function madeByCertutil(folder: string): string {
  const program = findTool('certutil') ?? 'certutil'
  const noise = join(folder, 'noise')
  writeFileSync(noise, randomBytes(64))
  run(program, ['-N', '-d', `sql:${folder}`, '--empty-password'])
  run(program, ['-S', '-d', `sql:${folder}`, '-n', 'a', '-s', 'CN=www.example.com,O=Example', '-x', '-t', ',,', '-z', noise, '-8', 'www.example.com,shop.example.com', '--keyUsage', 'digitalSignature,critical', '--extKeyUsage', 'serverAuth', '-m', '77'])
  return run(program, ['-L', '-d', `sql:${folder}`, '-n', 'a', '-a'])
}
