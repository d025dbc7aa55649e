import { CertloopError } from '@certloop/contract'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Between, type DnsScene, failsWith, listingSteps, type Run, valueNumber } from './dns-conformance-scene.ts'
import type { OutboundRequest, OutboundResponse } from './outbound.ts'

/** What goes wrong, and what is said of it. */
export const failureTests: Run = async (t, scene) => {
  await credentialTests(t, scene)
  await unreachableTests(t, scene)
  if (scene.usesHttp()) {
    await answerTests(t, scene)
    await lostAnswerTests(t, scene)
  }
  await t.test('secrets are in no error, receipt and report', () => {
    assert.ok(scene.secrets.length > 0 && scene.secrets.every((secret) => secret.length >= 12), 'secrets of 12 characters or more are needed to tell them apart')
    const told = JSON.stringify(scene.said)
    for (const form of scene.secrets.flatMap(formsOf)) assert.ok(!told.includes(form), `a secret was told: …${told.slice(Math.max(0, told.indexOf(form) - 150), told.indexOf(form))}`)
  })
}

const formsOf = (secret: string): string[] => [secret, JSON.stringify(secret).slice(1, -1), JSON.stringify(JSON.stringify(secret)).slice(3, -3), encodeURIComponent(secret), Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url')]

async function credentialTests(t: TestContext, { connector, record, texts, subject }: DnsScene): Promise<void> {
  await t.test('wrong credentials are refused, and nothing is written', async () => {
    const one = record('wrong-credentials', valueNumber(200))
    const before = await texts(one.name)
    const provider = await connector({ fields: subject.wrongCredentials })
    await failsWith(provider.addTxt(one), 'DNS_PROVIDER_REFUSED')
    assert.deepEqual(await texts(one.name), before)
    await failsWith((await connector({ fields: subject.wrongCredentials })).test(listingSteps([])), 'DNS_PROVIDER_REFUSED')
  })
}

async function unreachableTests(t: TestContext, { connector, record, texts, subject, usesHttp, entry: { manifest } }: DnsScene): Promise<void> {
  const one = record('unreachable', valueNumber(210))
  const eachFails = async (between?: Between) => {
    const options = between === undefined ? {} : { between }
    await failsWith((await connector(options)).addTxt(one), 'DNS_PROVIDER_UNREACHABLE')
    // One that is made for delegation may know its names by its fields.
    if (!manifest.delegationOnly) await failsWith((await connector(options)).findZone(one.name), 'DNS_PROVIDER_UNREACHABLE')
    await failsWith((await connector(options)).test(listingSteps([])), 'DNS_PROVIDER_UNREACHABLE')
  }
  await t.test('a server that is gone is unreachable, and is reached once it is back', async () => {
    if (subject.cut) {
      const mend = await subject.cut()
      await eachFails().finally(mend)
    } else {
      assert.ok(usesHttp(), 'nothing went through outbound: the subject needs a cut')
      await eachFails(() => Promise.reject(new CertloopError('DNS_PROVIDER_UNREACHABLE', 'the provider can not be reached: connect ECONNREFUSED.', { sent: 'no' })))
    }
    await (await connector()).addTxt(one)
    assert.ok((await texts(one.name)).includes(one.value))
  })
}

const answering = (status: number, body: string, headers: Record<string, string> = {}): Between => async () => answerOf(status, body, headers)
const answerOf = (status: number, body: string, headers: Record<string, string>): OutboundResponse => ({ status, headers, body: Buffer.from(body), text: () => body })

async function answerTests(t: TestContext, { connector, record, secrets, now }: DnsScene): Promise<void> {
  const one = record('answers', valueNumber(220))
  const adding = async (between: Between) => (await connector({ between })).addTxt(one)
  await t.test('429 says when to come again', async () => {
    const start = now().getTime()
    const { facts } = await failsWith(adding(answering(429, '{}', { 'retry-after': '120' })), 'DNS_PROVIDER_UNREACHABLE')
    const seconds = (Date.parse(String(facts['retryAt'])) - start) / 1000
    assert.ok(seconds >= 119 && seconds < 180, `retryAt is ${String(facts['retryAt'])}`)
    const date = new Date(start + 3_600_000).toUTCString()
    assert.equal((await failsWith(adding(answering(429, '', { 'retry-after': date })), 'DNS_PROVIDER_UNREACHABLE')).facts['retryAt'], new Date(date).toISOString())
    assert.equal((await failsWith(adding(answering(429, '')), 'DNS_PROVIDER_UNREACHABLE')).facts['retryAt'], undefined)
  })
  await t.test('an error of the server is one that passes', async () => {
    await failsWith(adding(answering(503, '<html>Service Unavailable</html>')), 'DNS_PROVIDER_UNREACHABLE')
    await failsWith(adding(answering(500, '')), 'DNS_PROVIDER_UNREACHABLE')
  })
  await t.test('an answer that can not be understood is no success', async () => {
    for (const body of ['<html>Welcome to the hotel</html>', '', '{', 'null', '7']) await failsWith(adding(answering(200, body)), 'DNS_PROVIDER_UNREACHABLE', 'DNS_RECORD_FAILED', 'DNS_PROVIDER_REFUSED')
  })
  await t.test('an answer that repeats the request does not get the credentials into a message', async () => {
    for (const status of [400, 401, 403, 404, 422, 500]) {
      const echo: Between = async (request) => answerOf(status, echoOf(request), { 'content-type': 'application/json' })
      const { message } = await failsWith(adding(echo), 'DNS_PROVIDER_UNREACHABLE', 'DNS_RECORD_FAILED', 'DNS_PROVIDER_REFUSED')
      for (const form of secrets.flatMap(formsOf)) assert.ok(!message.includes(form), `status ${status}: a secret is in the message`)
    }
  })
}

function echoOf({ url, headers = {}, body = '' }: OutboundRequest): string {
  const said = `bad request to ${url} with ${Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join(', ')} and ${Buffer.from(body).toString()}`
  return JSON.stringify({ error: said, message: said, errors: [{ message: said, code: 1 }], detail: said, description: said })
}

/** The server does what it is asked, and the answer gets lost on its way: as a crash in the middle. */
async function lostAnswerTests(t: TestContext, { connector, record, texts, subject, entry: { manifest } }: DnsScene): Promise<void> {
  const lossy = (): Between => {
    let lost = false
    return async ({ method = 'GET' }, pass) => {
      const answer = await pass()
      if (lost || method === 'GET' || method === 'HEAD') return answer
      lost = true
      throw new CertloopError('DNS_PROVIDER_UNREACHABLE', 'the provider can not be reached: the connection ended.', { sent: 'maybe' })
    }
  }
  await t.test('a change whose answer was lost is done again to the same end', async () => {
    const one = record('lost-answer', valueNumber(230))
    await (await connector({ between: lossy() })).addTxt(one).catch((error: unknown) => assert.ok(error instanceof CertloopError && error.code === 'DNS_PROVIDER_UNREACHABLE'))
    await (await connector()).addTxt(one)
    const present = await texts(one.name)
    assert.equal(present.filter((value) => value === one.value).length, 1, 'the value is there twice')
    if (manifest.keepsLatest !== undefined) return
    assert.deepEqual(present, [one.value])
    await (await connector({ between: lossy() })).removeTxt(one, null).catch((error: unknown) => assert.ok(error instanceof CertloopError && error.code === 'DNS_PROVIDER_UNREACHABLE'))
    await (await connector()).removeTxt(one, null)
    assert.deepEqual(await subject.held(one.name), [])
  })
}
