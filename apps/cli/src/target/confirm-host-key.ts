import { defineCommand } from '../command.ts'
import { showCertificate } from '../certificate/show.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { cleanText } from '../format/clean.ts'
import { pickTarget } from './target-input.ts'

export const targetConfirmHostKey = defineCommand({
  noun: 'target', verb: 'confirm-host-key', summary: 'Confirm the key that a host on the way to a target showed, once you compared it',
  args: { certificate: { help: 'id or name' } },
  options: {
    target: { type: 'string', value: 'NUMBER', help: 'which target, as "certificate show" counts them' },
    fingerprint: { type: 'string', value: 'SHA256:…', help: 'the fingerprint that you read on the host itself; without it you are asked' },
  },
  examples: ['target confirm-host-key db.example', 'target confirm-host-key db.example --target 2 --fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'],
  notes: ['On the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. A key that has changed is not confirmed here: find out why, then set it with "target set --reach … --host-key".'],
  async run(context, { args, options }) {
    const { world } = context
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const certificate = await client.call('getCertificate', { params: { id } })
    const { id: targetId, seenHostKey, title } = pickTarget(certificate, options.target)
    if (!seenHostKey) throw new Failure({ exit: exitCodes.failed, what: `No host key waits to be confirmed for ${title}.`, code: 'ACTION_NOT_POSSIBLE', remedy: `Let the bot look first: certloop certificate recheck-pinning ${args.certificate} --wait` })
    const { host, port, fingerprint: seen } = seenHostKey
    if (options.fingerprint === undefined) {
      if (!world.canAsk) throw usage(`${host}:${port} shows ${seen}. Compare it with the host itself, then give it with --fingerprint.`)
      const answer = await world.ask(cleanText(`${host}:${port} shows the key ${seen}. Is it the one on the host itself? [y/N] `))
      if (!/^y(es)?$/i.test(answer.trim())) throw new Failure({ exit: exitCodes.failed, what: 'Not confirmed, as you wish.' })
    }
    await showCertificate(context, await client.call('confirmHostKey', { params: { id, targetId }, body: { fingerprint: options.fingerprint ?? seen } }))
  },
})
