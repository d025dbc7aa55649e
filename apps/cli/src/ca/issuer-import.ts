import { readFile } from 'node:fs/promises'
import type { IssuerImport } from '@certloop/api-client'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, isApiProblem, usage } from '../failure.ts'
import { readBytes } from './files.ts'
import { showIssuer, word } from './issuer-lines.ts'

const options = {
  'password-file': { type: 'string', value: 'FILE', help: 'the password of key or keystore is the first line of this file; "-" reads standard input' },
  'password-env': { type: 'string', value: 'VARIABLE', help: 'the password is in this environment variable' },
  'style': { type: 'string', value: 'STYLE', choices: ['private', 'public'], help: 'public: its certificate is by the Baseline Requirements of the CA/Browser Forum, and it signs by profiles of public style alone. Private unless given' },
  'alias': { type: 'string', value: 'NAME', help: 'entry of the keystore; needed when it has several keys' },
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof options>['options']

const longestKeystore = 740_000

/** One file as it is; several, which have to be PEM, one after the other. */
async function readUpload(context: Context, files: readonly string[]): Promise<string> {
  const all = await Promise.all(files.map((file) => readBytes(context, 'CA file', file)))
  const isPem = (bytes: Buffer) => bytes.includes('-----BEGIN ')
  if (all.length > 1 && !all.every(isPem)) throw usage('Several files have to be PEM: certificate, those above it, key. A keystore comes alone.')
  const bytes = Buffer.concat(all.flatMap((one) => [one, Buffer.from('\n')]).slice(0, all.length === 1 ? 1 : undefined))
  if (bytes.length > longestKeystore) throw usage(`The files have ${bytes.length} bytes together; at most ${longestKeystore} can be taken over.`, 'Take only the CA itself and the certificates above it out of the keystore.')
  return bytes.toString('base64')
}

async function givenPassword(context: Context, o: Options): Promise<string | undefined> {
  const [file, variable] = [o['password-file'], o['password-env']]
  if (file !== undefined && variable !== undefined) throw usage('Give the password with --password-file or with --password-env, not with both.')
  if (variable !== undefined) {
    const password = context.world.env[variable]
    if (password === undefined) throw usage(`The environment variable ${variable} is not set.`)
    return password
  }
  if (file === undefined) return undefined
  const text = file === '-' ? await context.world.readInput() : await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The password can not be read: ${error.message}.`) })
  return text.split(/\r?\n/)[0] ?? ''
}

const needed = new Failure({
  exit: exitCodes.failed, what: 'The key is encrypted, and no password was given.', why: 'There is no terminal to ask for it.', code: 'PASSWORD_NEEDED',
  remedy: 'Give it with --password-file FILE or --password-env VARIABLE; on the command line others on this machine could read it.', where: 'certloop issuer import',
})

/** Asks for the password only when it turns out that one is needed. */
async function importWith(context: Context, body: IssuerImport) {
  const client = await context.client()
  try {
    return await client.call('importIssuer', { body })
  } catch (error) {
    if (!isApiProblem(error) || error.code !== 'PASSWORD_NEEDED' || body.password !== undefined) throw error
    if (!context.world.canAsk) throw needed
    return client.call('importIssuer', { body: { ...body, password: await context.world.ask('Password of the key or keystore: ', { hidden: true }) } })
  }
}

export const issuerImport = defineCommand({
  noun: 'issuer', verb: 'import', summary: 'Take over a CA made elsewhere',
  args: { name: { help: 'what to call it here; unique' }, file: { help: 'PEM files (certificate, those above it, key), or one PKCS#12, JKS or JCEKS file', many: true } }, options,
  examples: ['issuer import "Old CA" ca.pem root.pem ca.key', 'issuer import "Old CA" ca.p12 --password-file password.txt', 'issuer import "Old CA" keystore.jks --alias ca --password-env STORE_PASSWORD'],
  notes: [
    'A password is asked for at the terminal, without showing it, unless it is given; it never stands on the command line. The key goes to the control plane over this connection and is kept sealed there: delete the file afterwards, or keep it locked away.',
    'Without a key the CA is only known here: certificates show it as their issuer, and nothing can be signed.',
  ],
  async run(context, { args, options: o }) {
    const password = await givenPassword(context, o)
    const keystore = await readUpload(context, args.file)
    const made = await importWith(context, { name: args.name, keystore, ...(password === undefined ? {} : { password }), ...(o.alias === undefined ? {} : { alias: o.alias }), ...(o.style === undefined ? {} : { style: o.style }) })
    const next = made.keySource === 'outside' ? 'There was no key: it is known here, and can not sign.' : made.kind === 'intermediate' ? `To make it the one in use: certloop issuer activate ${word(made.name)}` : 'It signs what names it: --issuer, or --signed-by for intermediates.'
    await showIssuer(context, made, `The CA is taken over. What it issued before is not known here, so its revocation list names nothing of that yet. ${next}`)
  },
})
