import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { bitString, element, explicit, objectIdentifier, octetString, sequence, setOf, smallInteger, utf8String } from '../der/der-writer.ts'
import { readPrivateKey } from '../key/key.ts'
import { keySigner } from '../key/signature.ts'
import { spkiOfKey } from '../key/spki.ts'
import { requireTool } from '@certloop/test-kit'
import { openssl } from '../openssl-testing.ts'

/** Runs a tool and gives back what it printed. */
export const run = (tool: 'certtool' | 'keytool' | 'certutil', args: readonly string[], input = ''): string =>
  execFileSync(requireTool(tool), args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] })

const opensslConfiguration = `[req]
distinguished_name=dn
req_extensions=ext
attributes=att
utf8=yes
prompt=no
[dn]
C=DE
O=Ex ample
0.OU=a
1.OU=b
CN=www.example.com
+UID=u
[att]
challengePassword=geheim
unstructuredName=Ex ample
[ext]
basicConstraints=critical,CA:TRUE,pathlen:1
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
extendedKeyUsage=serverAuth,clientAuth,1.2.3.4
subjectAltName=DNS:www.example.com,IP:192.0.2.7,email:a@example.com,URI:https://example.com/a,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@corp
subjectKeyIdentifier=hash
tlsfeature=status_request
certificatePolicies=1.2.3.4
1.2.3.4.5=ASN1:UTF8String:own
`

/** A request of openssl with all it can ask for. */
export function opensslRequest(folder: string): string {
  writeFileSync(`${folder}/openssl.cnf`, opensslConfiguration)
  openssl(['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-config', `${folder}/openssl.cnf`, '-keyout', `${folder}/openssl.key`, '-out', `${folder}/openssl.csr`])
  return readFileSync(`${folder}/openssl.csr`, 'utf8')
}

/** A request of GnuTLS. */
export function certtoolRequest(folder: string): string {
  writeFileSync(`${folder}/certtool.tmpl`, 'cn = "www.example.com"\norganization = "Ex, ample"\ncountry = DE\ndns_name = "www.example.com"\nip_address = "192.0.2.7"\nemail = "a@example.com"\nuri = "https://example.com/a"\nchallenge_password = "secret"\ntls_www_server\nsigning_key\ntls_feature = 5\n')
  run('certtool', ['--generate-privkey', '--key-type=ecdsa', '--curve=secp256r1', '--outfile', `${folder}/certtool.key`])
  run('certtool', ['--generate-request', '--load-privkey', `${folder}/certtool.key`, '--template', `${folder}/certtool.tmpl`, '--outfile', `${folder}/certtool.csr`])
  return readFileSync(`${folder}/certtool.csr`, 'utf8')
}

/** A request of Java. */
export function keytoolRequest(folder: string): string {
  const store = ['-alias', 'a', '-keystore', `${folder}/keytool.p12`, '-storepass', 'changeit']
  run('keytool', ['-genkeypair', '-keyalg', 'EC', '-groupname', 'secp256r1', '-dname', 'CN=www.example.com, O="Ex, ample", C=DE', ...store])
  return run('keytool', ['-certreq', '-ext', 'SAN=dns:www.example.com,ip:192.0.2.7,email:a@example.com,uri:https://example.com/a,oid:1.2.3.4', '-ext', 'KU:critical=digitalSignature,keyEncipherment', '-ext', 'EKU=serverAuth,1.2.3.4', '-ext', 'bc=ca:true,pathlen:2', ...store])
}

/** A request of NSS, text around it. */
export function certutilRequest(folder: string): string {
  writeFileSync(`${folder}/noise`, randomBytes(200))
  run('certutil', ['-N', '-d', `sql:${folder}`, '--empty-password'])
  run('certutil', ['-R', '-d', `sql:${folder}`, '-s', 'CN=www.example.com,O=Example,C=DE', '-k', 'ec', '-q', 'nistp256', '-z', `${folder}/noise`, '-8', 'www.example.com,b.example.com', '--extSAN', 'ip:192.0.2.7', '--keyUsage', 'digitalSignature', '--extKeyUsage', 'serverAuth', '-a', '-o', `${folder}/certutil.csr`])
  return readFileSync(`${folder}/certutil.csr`, 'utf8')
}

export const attribute = (id: string, ...values: readonly Uint8Array[]): Buffer => sequence(objectIdentifier(id), setOf(...values))
export const wish = (id: string, value: Uint8Array): Buffer => sequence(objectIdentifier(id), octetString(value))

/** A well-signed request of any attributes, also those that no tool would make. DER */
export async function signedRequest(privateKeyPem: string, attributes: readonly Uint8Array[], subject: Uint8Array = sequence(), { version = 0, after = [] }: { version?: number; after?: readonly Uint8Array[] } = {}): Promise<Buffer> {
  const key = readPrivateKey(privateKeyPem)
  const signer = keySigner(key)
  const info = sequence(smallInteger(version), subject, spkiOfKey(key), explicit(0, Buffer.concat(attributes)), ...after)
  return sequence(info, signer.algorithm, bitString(await signer.sign(info)))
}

/**
 * A request as certreq of Windows makes it, from the documented structures: [MS-WCCE] 2.2.2.7 (OS version, CSP of the
 * enrolment, client information, extensions under Microsoft's own identifier).
 */
export function microsoftRequest(privateKeyPem: string): Promise<Buffer> {
  const bmp = (text: string) => element(0x1e, Buffer.from(text, 'utf16le').swap16())
  const commonName = sequence(setOf(sequence(objectIdentifier('2.5.4.3'), bmp('www.example.com'))))
  return signedRequest(privateKeyPem, [
    attribute('1.3.6.1.4.1.311.13.2.3', element(0x16, Buffer.from('10.0.20348.2'))),
    attribute('1.3.6.1.4.1.311.13.2.2', sequence(smallInteger(1), bmp('Microsoft Software Key Storage Provider'), element(0x03, Buffer.of(0)))),
    attribute('1.3.6.1.4.1.311.21.20', sequence(smallInteger(9), utf8String('host.corp.example'), utf8String('CORP\\host$'), utf8String('certreq.exe'))),
    attribute('1.3.6.1.4.1.311.2.1.14', sequence(
      wish('2.5.29.15', Buffer.from('030205a0', 'hex')),
      wish('2.5.29.37', sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
      wish('2.5.29.17', sequence(element(0x82, Buffer.from('www.example.com')))),
      wish('1.3.6.1.4.1.311.21.10', sequence(sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')))),
    )),
  ], commonName)
}
