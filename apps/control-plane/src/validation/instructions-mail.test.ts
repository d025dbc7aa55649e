import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { CertloopError } from '@certloop/contract'
import { eventually, leftOut, startPostfix } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { createMailer, type Mail, type Mailer } from './mailer.ts'
import { makeValidations, wanted, type Validations } from './validation-testing.ts'

const run = promisify(execFile)
const from = 'certloop@example.test'
const mailEvents = async (v: Validations, { order }: Awaited<ReturnType<Validations['addOrder']>>) =>
  (await listEvents(v.database.db, { orderId: order.id }, 100)).toReversed().filter(({ kind }) => kind.includes('mail')).map(({ kind, message, error }) => ({ kind, message, code: error?.code }))

test('the instructions reach a real mail server: one mail for each recipient with all names; who is refused is told and the order goes on', { skip: leftOut('postfix') || (process.getuid?.() !== 0 && 'Postfix needs root'), timeout: 120_000 }, async (t) => {
  const postfix = await startPostfix(t, { settings: () => ({ smtpd_recipient_restrictions: 'check_recipient_access inline:{nobody@example.test=REJECT}, permit_mynetworks, reject', smtpd_end_of_data_restrictions: 'check_client_access static:HOLD' }) })
  const v = await makeValidations(await emptyDatabase(t), createMailer({ smtpUrl: `smtp://127.0.0.1:${postfix.ports[0]}`, from }))
  const made = await v.addOrder(['a.example.com', '*.example.com'], { method: 'manual', notify: ['web@example.test', 'nobody@example.test', 'dns@example.test'] })
  await v.sync(made, [wanted('a.example.com'), wanted('example.com', { wildcard: true })])
  await v.pass(60, 15)
  const hold = join(postfix.folder, 'queue/hold')
  const files = await eventually(async () => { const found = await readdir(hold); return found.length >= 2 && found }, { what: 'two mails in the queue' })
  const mails = await Promise.all(files.map(async (file) => (await run('postcat', ['-c', postfix.configFolder, join(hold, file)])).stdout))
  assert.deepEqual(mails.map((mail) => /^To: (.*)$/m.exec(mail)?.[1] ?? '').toSorted(), ['dns@example.test', 'web@example.test'])
  for (const mail of mails) {
    const body = mail.replaceAll('=\n', '').replaceAll('=3D', '=')
    for (const part of ['From: certloop@example.test', 'Subject: To do for the certificate a.example.com: prove 2 names', 'Auto-Submitted: auto-generated', '*.example.com', '_acme-challenge.a.example.com', 'value-of-proof-of-any.example.com', 'dig +short TXT', 'before 2026-03-02 00:00 UTC', `https://certloop.test/orders/${made.order.id}`]) assert.ok(body.includes(part), `${part} in ${body}`)
  }
  const events = await mailEvents(v, made)
  assert.deepEqual(events.map(({ kind, code }) => [kind, code]), [['validation.mailed', undefined], ['validation.mail-not-sent', 'MAIL_NOT_SENT']])
  assert.match(events[0]?.message ?? '', /sent to web@example\.test, dns@example\.test/)
  assert.match(events[1]?.message ?? '', /to nobody@example\.test: .*It is not tried again/)
  await v.pass(900)
  assert.equal((await readdir(hold)).length, 2, 'no name is told of twice')
  assert.deepEqual((await v.all(made.attempt)).map(({ state }) => state), ['waiting', 'waiting'])
})

test('a mail server that takes no mail, cuts the line or wants TLS that is not there: said without the password', async (t) => {
  const answers: ((line: string) => string | undefined)[] = [() => undefined, (line) => (line.startsWith('EHLO') ? '250 mail.test\r\n' : '421 4.3.0 try later\r\n')]
  for (const [i, answer] of answers.entries()) {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('220 mail.test\r\n')
      socket.on('data', (bytes) => { const said = answer(bytes.toString()); if (said === undefined) socket.destroy(); else socket.write(said) })
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    const mailer = createMailer({ smtpUrl: `smtp://user:top-secret@127.0.0.1:${port}`, from })
    await assert.rejects(mailer.send({ to: 'web@example.test', subject: 's', text: 't', id: 'x@y' }), (error: unknown) => {
      assert.ok(error instanceof CertloopError && error.code === 'MAIL_NOT_SENT', String(error))
      assert.ok(!error.message.includes('top-secret') && !Buffer.from(error.message).includes(Buffer.from('top-secret').toString('base64')))
      assert.deepEqual([error.facts['refused'], error.message.includes(`127.0.0.1:${port}`)], ['no', true], String(i))
      return true
    })
  }
})

/** A mail server that is told what to do with each recipient. */
function makeMailer() {
  const sent: Mail[] = []
  const fails = new Map<string, CertloopError>()
  const mailer: Mailer = {
    async send(mail) {
      const error = fails.get(mail.to)
      if (error) throw error
      sent.push(mail)
    },
  }
  return { mailer, sent, fails }
}

testOnDatabases('a mail server without time is asked again, and only for who is left', async (_t, database) => {
  const { mailer, sent, fails } = makeMailer()
  const v = await makeValidations(database, mailer)
  const made = await v.addOrder(['a.example.com'], { method: 'manual', notify: ['web@example.test', 'dns@example.test'] })
  fails.set('dns@example.test', new CertloopError('MAIL_NOT_SENT', 'No answer.', { refused: 'no' }))
  await v.sync(made, [wanted('a.example.com')])
  await v.pass(600)
  assert.deepEqual(sent.map(({ to }) => to), ['web@example.test'])
  fails.clear()
  await v.pass(1_200)
  assert.deepEqual(sent.map(({ to }) => to), ['web@example.test', 'dns@example.test'])
  assert.equal(new Set(sent.map(({ id }) => id)).size, 1)
  assert.deepEqual((await mailEvents(v, made)).map(({ kind }) => kind), ['validation.mailed', 'validation.mail-not-sent', 'validation.mailed'])
})

testOnDatabases('who never can be reached, and no mail server at all: said, and the order goes on', async (_t, database) => {
  const { mailer, sent, fails } = makeMailer()
  const v = await makeValidations(database, mailer)
  const made = await v.addOrder(['a.example.com'], { method: 'manual', notify: ['web@example.test'] })
  fails.set('web@example.test', new CertloopError('MAIL_NOT_SENT', 'No answer.', { refused: 'no' }))
  await v.sync(made, [wanted('a.example.com')])
  await v.pass(20_000, 600)
  const events = await mailEvents(v, made)
  assert.deepEqual([sent.length, events.length], [0, 2], 'at first, and at last')
  assert.match(events[1]?.message ?? '', /It is not tried again/)
  assert.equal((await v.one(made.attempt)).state, 'waiting')
  v.zones.values.set('_acme-challenge.a.example.com', new Set(['value-of-proof-of-a.example.com']))
  await v.pass(600)
  assert.equal((await v.one(made.attempt)).state, 'asked')

  const without = await makeValidations(database)
  const second = await without.addOrder(['b.example.com'], { method: 'manual', notify: ['web@example.test'] })
  await without.sync(second, [wanted('b.example.com')])
  await without.pass(120)
  assert.match((await mailEvents(without, second))[0]?.message ?? '', /no mail server is set/)
})
