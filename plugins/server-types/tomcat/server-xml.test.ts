import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseXml } from '../shared/xml/document.ts'
import { readServerXml } from './connectors.ts'
import { endpointsOf } from './endpoints.ts'
import { expand, type PropertyValues } from './properties.ts'

const valuesOf = (known: Record<string, string>, unknownSources: string[] = []): PropertyValues => ({ find: (name) => known[name], unknownSources })
const read = (connectors: string, { major = 10, values = valuesOf({}), server = '' }: { major?: number; values?: PropertyValues; server?: string } = {}) =>
  readServerXml(parseXml(`<Server ${server}><Service name="s">${connectors}<Engine name="Own"/></Service></Server>`), values, major)
const summary = (read_: ReturnType<typeof read>) => read_.certificates.map(({ connector, hostName, type, of, attributes }) => [connector.port, hostName, type, of, attributes.get('certificateKeystoreFile')])

test('values are replaced as Tomcat does it: defaults, values within values, what is not known stays', () => {
  const values = valuesOf({ a: '1', b: '${a}${a}', loop: 'x${loop}' })
  assert.deepEqual(expand('-${b}-${none:-d${x}}-${none}', values).text, '-11-d${x}-${none}')
  assert.equal(expand('${a', values).text, '${a')
  assert.ok(expand('${loop}', values).text.length < 100)
  assert.deepEqual(expand('${a} ${other}', valuesOf({ a: '1' }, ['my.Source'])), { text: '1 ${other}', unknown: '${other}, which my.Source may give' })
})

test('hosts, types, defaults and the port offset', () => {
  const xml = `<Connector port="\${p}"/><Connector protocol="AJP/1.3" port="9"/><Connector SSLEnabled="TRUE" port="\${p}1" defaultSSLHostConfigName="B.test">
    <SSLHostConfig/><SSLHostConfig hostName="B.Test"><Certificate type="rsa" certificateKeystoreFile="r"/><Certificate type="EC" certificateKeystoreFile="e"/></SSLHostConfig></Connector>`
  const found = read(xml, { values: valuesOf({ p: '80' }), server: 'portOffset="1000"' })
  assert.deepEqual(found.connectors.map(({ port, tls }) => [port, tls]), [[1080, false], [1801, true]])
  assert.deepEqual(summary(found), [[1801, '_default_', 'UNDEFINED', 1, undefined], [1801, 'b.test', 'RSA', 2, 'r'], [1801, 'b.test', 'EC', 2, 'e']])
  assert.deepEqual(found.certificates.map((one) => endpointsOf(one, found).map(({ address, serverName, keyType }) => [address, serverName, keyType])), [
    [], [['127.0.0.1', 'b.test', 'rsa'], ['127.0.0.1', null, 'rsa']], [['127.0.0.1', 'b.test', 'ec'], ['127.0.0.1', null, 'ec']],
  ])
  assert.equal(found.certificates[0]?.connector.domain, 'Own')
})

test('attributes of older versions count up to Tomcat 9 and no longer', () => {
  const xml = '<Connector SSLEnabled="true" port="1" keystoreFile="k" keyAlias="a"/><Connector SSLEnabled="true" port="2"><SSLHostConfig certificateKeystoreFile="h"/></Connector><Connector SSLEnabled="true" port="3"/><Connector SSLEnabled="true" port="0"/>'
  const nine = read(xml, { major: 9 })
  assert.deepEqual(summary(nine), [[1, '_default_', 'UNDEFINED', 1, 'k'], [2, '_default_', 'UNDEFINED', 1, 'h'], [3, '_default_', 'UNDEFINED', 1, undefined]])
  assert.equal(nine.certificates[0]?.attributes.get('certificateKeyAlias'), 'a')
  const ten = read(xml)
  assert.deepEqual(summary(ten), [[2, '_default_', 'UNDEFINED', 1, undefined]])
  assert.deepEqual(ten.problems, ['the connector in line 1 has SSLEnabled and no SSLHostConfig', 'the connector in line 1 has SSLEnabled and no SSLHostConfig', 'the connector in line 1 has no port of its own'])
})

test('handshakes reach the connector that is meant: wildcards, addresses of other connectors, host names', () => {
  const tls = (attributes: string, hosts: string) => `<Connector SSLEnabled="true" ${attributes}>${hosts}</Connector>`
  const found = read(tls('port="1"', '<SSLHostConfig hostName="*.w.test"/><SSLHostConfig hostName="certloop-proof.w.test"/>') + tls('port="1" address="127.0.0.1"', '<SSLHostConfig/>') + tls('port="2" address="some.host"', '<SSLHostConfig/>') + tls('port="3" address="::1"', '<SSLHostConfig/>'))
  assert.deepEqual(found.certificates.map((one) => endpointsOf(one, found).map(({ address, port, serverName }) => `${address} ${port} ${serverName}`)), [
    ['127.0.0.2 1 certloop-proof-2.w.test'], ['127.0.0.2 1 certloop-proof.w.test'], ['127.0.0.1 1 null'], [], ['::1 3 null'],
  ])
})
