import assert from 'node:assert/strict'
import { openSync, closeSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test, type TestContext } from 'node:test'
import { createSoftHsm, eventually, leftOut, runProcess, tempFolder } from '@certloop/test-kit'
import { openToken } from './index.ts'

const pin = '4711-token'
const skip = leftOut('libsofthsm2.so') || leftOut('softhsm2-util')
const hasCode = (code: string, message: RegExp) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error))
  assert.match((error as Error).message, message)
  assert.ok(!JSON.stringify(error).includes(pin) && !(error as Error).message.includes(pin), 'the PIN is told')
  return true
}

test('what is no PKCS#11 module is told apart', async (t) => {
  const folder = await tempFolder(t, 'module')
  const text = join(folder, 'text.so')
  await writeFile(text, 'This is a text, and long enough to be looked at as a library.\n'.repeat(10))
  const open = (modulePath: string) => openToken({ modulePath, tokenLabel: 'x', pin })
  await assert.rejects(open(join(folder, 'none.so')), hasCode('PKCS11_UNAVAILABLE', /There is no PKCS#11 module at/))
  await assert.rejects(open(text), hasCode('PKCS11_UNAVAILABLE', /can not be loaded as a PKCS#11 module/))
  await assert.rejects(open(folder), hasCode('PKCS11_UNAVAILABLE', /not that of a file/))
  await assert.rejects(open('libsofthsm2.so'), hasCode('PKCS11_UNAVAILABLE', /absolute/))
  if (process.platform === 'linux' && process.arch === 'x64') {
    const koffiItself = join(import.meta.dirname, '../../../node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node')
    await assert.rejects(open(koffiItself), hasCode('PKCS11_UNAVAILABLE', /no C_GetFunctionList/))
  }
  await assert.rejects(openToken({ modulePath: text, pin }), hasCode('INPUT_INVALID', /label or slot/))
})

describe('a SoftHSM2 token in trouble', { skip }, async () => {
  if (skip) return
  const hsm = await createSoftHsm({ after } as unknown as Pick<TestContext, 'after'>, { label: 'main', pin })
  await hsm.addToken('guarded', '1234')
  process.env['SOFTHSM2_CONF'] = hsm.configPath
  const { modulePath } = hsm

  test('a token that is not there is named, with those that are', async () => {
    await assert.rejects(openToken({ modulePath, tokenLabel: 'nowhere', pin }), hasCode('PKCS11_UNAVAILABLE', /no token labelled "nowhere".*"(?:main|guarded)"/))
    await assert.rejects(openToken({ modulePath, slot: 7, pin }), hasCode('PKCS11_UNAVAILABLE', /no token in slot 7/))
  })

  test('a wrong PIN is given to the token once', async () => {
    const open = (given: string, tryRefusedPin = false) => openToken({ modulePath, tokenLabel: 'guarded', pin: given, tryRefusedPin })
    const both = await Promise.allSettled([open(pin), open(pin)])
    const messages = both.map((result) => (result.status === 'rejected' ? String((result.reason as Error).message) : 'opened'))
    assert.equal(messages.filter((message) => message.includes('CKR_PIN_INCORRECT')).length, 1, messages.join('\n'))
    assert.equal(messages.filter((message) => message.includes('refused this PIN before')).length, 1, messages.join('\n'))
    assert.match(await hsm.pkcs11Tool('--list-token-slots'), /user PIN count low/)
    // The flag goes with a right login; it stays away when the wrong PIN is not given again.
    await (await open('1234')).close()
    assert.doesNotMatch(await hsm.pkcs11Tool('--list-token-slots'), /user PIN count low/)
    await assert.rejects(open(pin), hasCode('PKCS11_PIN_WRONG', /refused this PIN before/))
    assert.doesNotMatch(await hsm.pkcs11Tool('--list-token-slots'), /user PIN count low/)
    await assert.rejects(open(pin, true), hasCode('PKCS11_PIN_WRONG', /CKR_PIN_INCORRECT/))
    assert.match(await hsm.pkcs11Tool('--list-token-slots'), /user PIN count low/)
  })

  test('a token that goes away is missed, and found again when it is back', async (t) => {
    const token = await openToken({ modulePath, tokenLabel: 'main', pin })
    t.after(() => token.close())
    const signer = (await token.generateKey({ label: 'wanderer', algorithm: 'ec-256' })).signer()
    await signer.sign(Buffer.from('x'))
    const away = join(hsm.tokenFolder, '../away')
    await rename(hsm.tokenFolder, away)
    await assert.rejects(signer.sign(Buffer.from('x')), hasCode('PKCS11_UNAVAILABLE', /./))
    await rename(away, hsm.tokenFolder)
    const signature = await eventually(() => signer.sign(Buffer.from('x')), { what: 'a signature after the token came back' })
    assert.ok(signature.length > 60)
    const many = await Promise.all(Array.from({ length: 20 }, () => signer.sign(Buffer.from('x'))))
    assert.equal(many.length, 20)
  })

  test('a call that hangs ends at its deadline, holds up no others, and its session goes', { skip: process.platform === 'win32' }, async (t) => {
    const token = await openToken({ modulePath, tokenLabel: 'main', pin, callTimeoutMs: 1_000 })
    t.after(() => token.close())
    const signer = (await token.findKey({ label: 'wanderer' })).signer()
    const held = await holdUp(t, hsm.tokenFolder)
    const begin = performance.now()
    await assert.rejects(signer.sign(Buffer.from('x')), hasCode('PKCS11_UNAVAILABLE', /C_\w+ did not come back within 1000 ms/))
    assert.ok(performance.now() - begin < 10_000)
    held.letGo()
    assert.ok(await eventually(() => signer.sign(Buffer.from('x')), { what: 'a signature after the call came back' }))
  })

  test('a process ends, whether it closed its token or not, or a call hangs', { skip: process.platform === 'win32' }, async (t) => {
    const index = join(import.meta.dirname, 'index.ts')
    const start = `import { openToken } from ${JSON.stringify(index)}; const token = await openToken({ modulePath: ${JSON.stringify(modulePath)}, tokenLabel: 'main', pin: ${JSON.stringify(pin)}, callTimeoutMs: 1000 }); const signer = (await token.findKey({ label: 'wanderer' })).signer(); await signer.sign(Buffer.from('x'))`
    const run = (code: string) => runProcess(t, [process.execPath, '--input-type=module-typescript', '-e', code], { env: hsm.env })
    const open = await run(start)
    assert.deepEqual([open.code, open.signal], [0, null], open.stderr)
    const closed = await run(`${start}; await token.close()`)
    assert.deepEqual([closed.code, closed.signal], [0, null], closed.stderr)
    const held = await holdUp(t, hsm.tokenFolder)
    const hanging = await run(`${start.replace("await signer.sign(Buffer.from('x'))", "await signer.sign(Buffer.from('x')).catch(() => process.exit(3))")}`)
    held.letGo()
    assert.ok(hanging.code !== 0 && hanging.signal === null, `${hanging.code} ${hanging.signal} ${hanging.stderr}`)
  })
})

/** A pipe in place of the file that SoftHSM reads first at each use of a key: whoever opens it waits for a writer. */
async function holdUp(t: TestContext, tokenFolder: string): Promise<{ letGo(): void }> {
  const folder = readdirSync(tokenFolder).map((name) => join(tokenFolder, name)).find((name) => readdirSync(name).filter((file) => file.endsWith('.object')).length > 1) ?? ''
  const path = join(folder, 'generation')
  const content = readFileSync(path)
  await rename(path, `${path}.kept`)
  const made = await runProcess(t, ['/usr/bin/mkfifo', path])
  assert.equal(made.code, 0, made.stderr)
  return {
    letGo() {
      const pipe = openSync(path, 'r+')
      writeSync(pipe, content)
      writeSync(pipe, content)
      t.after(() => { closeSync(pipe) })
      renameSync(`${path}.kept`, path)
    },
  }
}
