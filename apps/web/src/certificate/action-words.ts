import type { ActionKind } from '@certloop/api-client'

interface Words { label: string; hint: string; question?: string; explanation?: string }

export const actionWords: Record<ActionKind, Words> = {
  'initiate': { label: 'Initiate', hint: 'Prepares the configuration from what was found. Replaces nothing.' },
  'order': { label: 'Order', hint: 'Has a new version issued, without deploying it.' },
  'deploy': { label: 'Deploy', hint: 'Installs the newest version on all targets.', question: 'Deploy the newest version?', explanation: 'It is put onto every target of the configuration and proven to be served there. If a step fails, what the configuration says about rollback applies.' },
  'rotate': { label: 'Rotate', hint: 'Orders a new version and deploys it.', question: 'Rotate this certificate?', explanation: 'A new version is ordered and then deployed to every target of the configuration. The servers go on serving meanwhile.' },
  'rekey': { label: 'Rekey', hint: 'Rotates with a new private key.', question: 'Rekey this certificate?', explanation: 'A new version with a new private key is ordered and deployed. Clients that pin the present key will refuse the new one.' },
  'renew': { label: 'Renew', hint: 'Orders the same identity again and deploys it when the schedule says so.', question: 'Renew this certificate now?', explanation: 'A new version with the same names is ordered, with the same key where the configuration keeps it. It is deployed when the configuration says so.' },
  'regenerate': { label: 'Regenerate', hint: 'Renews with a new private key.', question: 'Regenerate this certificate?', explanation: 'A new version with the same names and a new private key is ordered. It is deployed when the configuration says so. Clients that pin the present key will refuse the new one.' },
  're-enrol': { label: 'Re-enrol', hint: 'Makes a new certificate from the configuration, which takes the targets over.', question: 'Enrol this certificate again?', explanation: 'A new request is made from the configuration, and the new certificate takes the targets over once it is issued. This one is no longer renewed by itself from then on.' },
  'revoke': { label: 'Revoke', hint: 'Makes the newest version invalid at its authority, for ever.', question: 'Revoke the newest version?', explanation: 'Clients that look at revocation lists or OCSP refuse it from then on. This can not be taken back.' },
  'suspend': { label: 'Suspend', hint: 'Makes the newest version invalid at its authority for a time.', question: 'Suspend the newest version?', explanation: 'Clients that look at revocation lists or OCSP refuse it until it is resumed.' },
  'resume': { label: 'Resume', hint: 'Takes a suspension back.' },
  'recheck-pinning': { label: 'Re-check', hint: 'Looks at every target again: what is installed, and what is served.' },
}
