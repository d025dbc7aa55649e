import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultsWords, isOn, optionsOf, printedWords, valueOf } from './options.ts'

test('what --print-defaults says, and the command line after it', () => {
  const printed = printedWords('mariadbd would have been started with the following arguments:\n--datadir=/a b --ssl_cert=/x.pem --skip-networking --loose-ssl-key=../k.pem \n')
  assert.deepEqual(printed, ['--datadir=/a b', '--ssl_cert=/x.pem', '--skip-networking', '--loose-ssl-key=../k.pem'])
  const options = optionsOf([...printed, '--ssl-cert=/y.pem', 'word', '--ssl_ca='])
  assert.deepEqual(['ssl-cert', 'ssl-key', 'ssl-ca', 'port'].map((name) => valueOf(options, name)), ['/y.pem', '../k.pem', undefined, undefined])
  assert.deepEqual(printedWords('mysqld would have been started with the following arguments:\n\n'), [])
})

test('which option files count is said by the first words of a command line', () => {
  assert.deepEqual(defaultsWords(['mysqld', '--defaults-file=/a.cnf', '--defaults-group-suffix=@b', '--port=1', '--defaults-file=/late']), { words: ['--defaults-file=/a.cnf', '--defaults-group-suffix=@b'], noDefaults: false })
  assert.deepEqual(defaultsWords(['mysqld', '--no-defaults', '--ssl-cert=/x']), { words: [], noDefaults: true })
})

test('switches in all their forms; the last one counts', () => {
  const on = (...words: string[]) => isOn(optionsOf(words), 'ssl', true)
  assert.deepEqual([on(), on('--ssl'), on('--ssl=0'), on('--skip-ssl'), on('--disable-ssl'), on('--skip-ssl=OFF'), on('--skip-ssl', '--ssl=ON'), on('--ssl', '--skip_ssl')], [true, true, false, false, false, true, true, false])
  assert.equal(isOn(optionsOf(['--skip-networking=1']), 'networking', true), false)
})
