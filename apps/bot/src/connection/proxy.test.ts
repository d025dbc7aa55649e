import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlPlaneUrl } from './address.ts'
import { proxyEnvironment, proxyForLog } from './proxy.ts'

const url = new URL('https://certloop.example:8420')

test('http is for this very host alone', () => {
  for (const ok of ['https://certloop.example', 'http://127.0.0.1:1', 'http://127.9.9.9', 'http://[::1]:80', 'http://localhost']) assert.equal(controlPlaneUrl(ok).href, new URL(ok).href)
  for (const bad of ['http://certloop.example', 'http://10.0.0.1', 'http://127.0.0.1.example', 'http://localhost.example', 'http://0.0.0.0']) {
    assert.throws(() => controlPlaneUrl(bad), { code: 'ADDRESS_INSECURE' }, bad)
  }
})

test('the proxy of bot.toml wins over the environment; "none" and this very host go without', () => {
  const environment = { HTTPS_PROXY: 'http://env:1', NO_PROXY: 'a.example' }
  assert.equal(proxyEnvironment(url, 'http://toml:2', environment)?.HTTPS_PROXY, 'http://toml:2')
  assert.equal(proxyEnvironment(url, 'http://toml:2', environment)?.NO_PROXY, undefined)
  assert.deepEqual(proxyEnvironment(url, undefined, environment), environment)
  assert.deepEqual(proxyEnvironment(url, undefined, { https_proxy: 'http://low:3', no_proxy: 'b' }), { HTTPS_PROXY: 'http://low:3', NO_PROXY: 'b' })
  assert.equal(proxyEnvironment(url, null, environment), undefined)
  assert.equal(proxyEnvironment(url, undefined, {}), undefined)
  assert.equal(proxyEnvironment(new URL('https://127.0.0.1'), 'http://toml:2', environment), undefined)
})

test('the log shows the proxy without its password', () => {
  assert.equal(proxyForLog({ HTTPS_PROXY: 'http://user:secret@proxy.example:3128' }), 'proxy.example:3128')
  assert.equal(proxyForLog(undefined), 'none')
})
