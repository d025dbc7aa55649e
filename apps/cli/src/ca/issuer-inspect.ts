import { defineCommand } from '../command.ts'
import { exitCodes, Failure } from '../failure.ts'
import { paintState } from '../format/paint.ts'
import { table } from '../format/table.ts'
import { dateAndDistance } from '../format/time.ts'
import { writeOutput } from './files.ts'
import { issuerArgument, readIssuer } from './find-ca.ts'
import { showIssuer, word } from './issuer-lines.ts'

export const issuerList = defineCommand({
  noun: 'issuer', verb: 'list', summary: 'Roots and intermediates of the built-in CA',
  args: {}, options: {}, examples: ['issuer list', 'issuer list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listIssuers')
    context.show(answer, ({ items }) => table(
      ['NAME', 'KIND', 'STATUS', 'IN USE AS', 'KEY', 'KEY IS', 'ENDS', 'ID'],
      items.map((i) => [i.name, i.kind, paintState(context.paint, i.status), i.slot, i.keyAlgorithm, i.keySource, dateAndDistance(i.notAfter, context.world), i.id]),
    ))
  },
})

export const issuerShow = defineCommand({
  noun: 'issuer', verb: 'show', summary: 'One issuer: certificates, revocation lists, addresses',
  args: issuerArgument, options: { 'certificate-out': { type: 'string', value: 'FILE', help: 'write its certificate there, of several that of a root that it signed itself, else the one that goes into chains' } },
  examples: ['issuer show "Company Issuing CA"', 'issuer show "Company Root" --certificate-out root.pem'],
  async run(context, { args, options: { 'certificate-out': file } }) {
    const issuer = await readIssuer(context, args.issuer)
    // Of a root, the one to be trusted: signed by itself, whichever goes into chains.
    const certificate = issuer.certificates.find(({ signedBy }) => issuer.kind === 'root' && signedBy === issuer.id) ?? issuer.certificates.find(({ id }) => id === issuer.certificateId)
    if (file !== undefined) {
      if (!certificate) throw new Failure({ exit: exitCodes.failed, what: `"${issuer.name}" has no certificate yet.`, why: 'It waits for one signed elsewhere.', remedy: `Its request: certloop issuer csr ${word(issuer.name)}`, code: 'ISSUER_NOT_READY' })
      await writeOutput(context, file, certificate.certificatePem, `certloop issuer show ${word(issuer.name)} --certificate-out FILE`)
    }
    await showIssuer(context, issuer)
  },
})

export const issuerCsr = defineCommand({
  noun: 'issuer', verb: 'csr', summary: 'The CSR of an issuer that waits for its certificate',
  args: issuerArgument, options: { out: { type: 'string', value: 'FILE', help: 'write it there; default standard output' } },
  examples: ['issuer csr "Company Issuing CA" > issuing.csr', 'issuer csr "Company Issuing CA" --out issuing.csr'],
  async run(context, { args, options: { out } }) {
    const issuer = await readIssuer(context, args.issuer)
    const { csrPem, name, status } = issuer
    if (csrPem === null) {
      throw new Failure({ exit: exitCodes.failed, what: `"${name}" has no CSR: it is ${status}.`, why: 'Only an issuer that waits for a certificate signed elsewhere has one.', remedy: `To replace it by one with a new key: certloop issuer roll-over ${word(name)}`, code: 'ACTION_NOT_POSSIBLE' })
    }
    if (out !== undefined) await writeOutput(context, out, csrPem, `certloop issuer csr ${word(name)} --out FILE`)
    if (out === undefined || context.json) context.show({ csrPem }, (safe) => [safe.csrPem.trimEnd()])
    context.note(`When it is signed: certloop issuer install-certificate ${word(name)} CERTIFICATE-FILE CHAIN-FILES`)
  },
})
