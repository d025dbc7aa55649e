import type { CertificateDetail, Target } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import { showCertificate } from '../certificate/show.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { cleanText } from '../format/clean.ts'
import { pickTarget } from './target-input.ts'

/** Why no key waits for this target. A key that has changed is never confirmed, but set by hand. */
export function nothingToConfirm({ name, problem, lastAction, configuration }: Pick<CertificateDetail, 'name' | 'problem' | 'lastAction' | 'configuration'>, { id, reach, title }: Target): Failure {
  const hosts = reach === 'local' || reach.kind === 'ftp' ? [] : [reach, ...reach.jumps]
  const at = [problem, lastAction?.error].map((error) => (error?.code === 'HOST_KEY_CHANGED' ? hosts.findIndex(({ host, port }) => error.message.includes(`${host} port ${port} `)) : -1)).find((index) => index >= 0)
  const changed = at === undefined ? undefined : hosts[at]
  if (at === undefined || !changed) return new Failure({ exit: exitCodes.failed, what: `No host key waits to be confirmed for ${title}.`, code: 'ACTION_NOT_POSSIBLE', remedy: `Let the bot look first: certloop certificate recheck-pinning ${name} --wait` })
  const number = (configuration?.targets.findIndex((target) => target.id === id) ?? 0) + 1
  // Keys of jump hosts come in the order of the hosts: those before the one that has changed are named again.
  const keys = at === 0 ? ['--host-key SHA256:…'] : hosts.slice(1, at + 1).map((jump, i) => `--jump-host-key ${i + 1 === at ? 'SHA256:…' : jump.hostKey ?? '""'}`)
  return new Failure({
    exit: exitCodes.failed, code: 'HOST_KEY_CHANGED', what: `The key of ${changed.host}:${changed.port} has changed. Such a key is not confirmed this way.`, why: 'The host was set up again, or somebody stands between.',
    remedy: `Find out which on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). Only then set the fingerprint that you read there: certloop target set ${name} --target ${number} ${keys.join(' ')}`,
  })
}

export const targetConfirmHostKey = defineCommand({
  noun: 'target', verb: 'confirm-host-key', summary: 'Confirm the key that a host on the way to a target showed, once you compared it',
  args: { certificate: { help: 'id or name' } },
  options: {
    target: { type: 'string', value: 'NUMBER', help: 'which target, as "certificate show" counts them' },
    fingerprint: { type: 'string', value: 'SHA256:…', help: 'the fingerprint that you read on the host itself; without it you are asked' },
  },
  examples: ['target confirm-host-key db.example', 'target confirm-host-key db.example --target 2 --fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'],
  notes: ['On the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. A key that has changed is not confirmed here: find out why, then set it with "target set CERTIFICATE --target NUMBER --host-key SHA256:…".'],
  async run(context, { args, options }) {
    const { world } = context
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const certificate = await client.call('getCertificate', { params: { id } })
    const target = pickTarget(certificate, options.target)
    const { id: targetId, seenHostKey } = target
    if (!seenHostKey) throw nothingToConfirm(certificate, target)
    const { host, port, fingerprint: seen } = seenHostKey
    if (options.fingerprint === undefined) {
      if (!world.canAsk) throw usage(`${host}:${port} shows ${seen}. Compare it with the host itself, then give it with --fingerprint.`)
      const answer = await world.ask(cleanText(`${host}:${port} shows the key ${seen}. Is it the one on the host itself? [y/N] `))
      if (!/^y(es)?$/i.test(answer.trim())) throw new Failure({ exit: exitCodes.failed, what: 'Not confirmed, as you wish.' })
    }
    await showCertificate(context, await client.call('confirmHostKey', { params: { id, targetId }, body: { fingerprint: options.fingerprint ?? seen } }))
  },
})
