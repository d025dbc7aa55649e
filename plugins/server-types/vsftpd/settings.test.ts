import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOn, settingLines, settingsOf, sourcesOf, valueOf } from './settings.ts'

test('files and settings of the command line count in their order, and the default file only where none is named', () => {
  assert.deepEqual(sourcesOf(['vsftpd']), [{ file: '/etc/vsftpd.conf' }])
  assert.deepEqual(sourcesOf(['vsftpd', '-olisten=NO']), [{ setting: 'listen=NO' }, { file: '/etc/vsftpd.conf' }])
  assert.deepEqual(sourcesOf(['vsftpd', '-olisten=NO', '/a.conf', '-oftpd_banner=a b', 'b.conf', '']), [{ setting: 'listen=NO' }, { file: '/a.conf' }, { setting: 'ftpd_banner=a b' }, { file: 'b.conf' }])
})

test('settings as vsftpd takes them: leading blanks, comments, the last one wins, an empty one is none', () => {
  const settings = settingsOf(settingLines('# x\n\n  listen=yes\nssl_enable=NO\nssl_enable=1\nrsa_cert_file=/a=b.pem\nlisten_address=\n#dsa_cert_file=/no\n'))
  assert.deepEqual([...settings], [['listen', 'yes'], ['ssl_enable', '1'], ['rsa_cert_file', '/a=b.pem'], ['listen_address', '']])
  assert.deepEqual(['listen', 'ssl_enable', 'implicit_ssl'].map((name) => isOn(settings, name)), [true, true, false])
  assert.deepEqual(['rsa_cert_file', 'listen_address', 'dsa_cert_file'].map((name) => valueOf(settings, name)), ['/a=b.pem', undefined, undefined])
})
