import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isShortCall, readCommandLine, relativeConfiguration } from './command-line.ts'
import { keyRule } from './configuration.ts'

const line = (...words: string[]) => readCommandLine(['postgres', ...words])

test('-D is told from the other options, wherever it stands', () => {
  assert.deepEqual(line('-D', '/data', '-c', 'config_file=/etc/x.conf'), { dataOption: '/data', options: ['-c', 'config_file=/etc/x.conf'] })
  assert.deepEqual(line('-lD/data', '-p', '5433', '--ssl_cert_file=-D'), { dataOption: '/data', options: ['-p', '5433', '--ssl_cert_file=-D'] })
  assert.deepEqual(line('-c', '-D', '-i'), { dataOption: null, options: ['-c', '-D', '-i'] })
})

test('a relative configuration file is seen in each spelling', () => {
  for (const words of [['-c', 'config_file=x.conf'], ['-cconfig_file=x.conf'], ['--config_file=x.conf'], ['--config-file=x.conf']]) assert.equal(relativeConfiguration(line(...words)), 'x.conf')
  assert.equal(relativeConfiguration(line('-c', 'config_file=/x.conf', '-c', 'port=1')), undefined)
})

test('calls that are no servers', () => {
  assert.deepEqual([['-C', 'ssl'], ['-Cssl'], ['--version'], ['--single', 'x'], ['-D', '/data', '-C', 'port'], ['-D', '/data']].map((words) => isShortCall(['postgres', ...words])), [true, true, true, true, true, false])
})

test('keys as PostgreSQL takes them: of the account for nobody else, of root for a group to read', () => {
  const account = { uid: 26, gid: 26 }
  const rule = (uid: number, mode: number) => keyRule({ type: 'file', uid, mode }, account)
  assert.deepEqual([rule(26, 0o600), rule(26, 0o400), rule(0, 0o640), rule(0, 0o600)], [null, null, null, null])
  assert.match(rule(26, 0o640) ?? '', /mode 0640 lets others/)
  assert.match(rule(0, 0o644) ?? '', /mode 0644 lets others/)
  assert.match(rule(1000, 0o600) ?? '', /neither to its account nor to root/)
})
