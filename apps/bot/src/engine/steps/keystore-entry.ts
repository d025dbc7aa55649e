import { CertloopError, type KeystoreEntryStep, sha256Hex } from '@certloop/contract'
import { holdsMaterial, type KeystorePasswords, readKeystoreFile, writeKeystoreEntry } from '@certloop/plugin-kit'
import type { StepContext } from './executor.ts'
import { replaceFile } from './replace-file.ts'

const passwordsOf = ({ secret }: StepContext, { password, keyPassword }: KeystoreEntryStep): KeystorePasswords =>
  ({ password: secret(password), ...(keyPassword === undefined ? {} : { keyPassword: secret(keyPassword) }) })

/**
 * A keystore with the material under one alias. It is written once, while staging, and from then on known by the SHA-256
 * of its bytes, which the journal keeps: recovery and undo need no password.
 */
export const keystoreEntry = replaceFile<KeystoreEntryStep>({
  async content(context, step) {
    const { plan, keyPem } = context.material()
    const present = step.replaces === null ? undefined : await context.host.readFile(step.path)
    if (step.replaces !== null && (present === undefined || sha256Hex(present) !== step.replaces)) throw new CertloopError('PLAN_CHANGED', `${step.path} changed since the plan was made.`, { path: step.path })
    return writeKeystoreEntry({ step, present, chainPem: plan.chainPem, keyPem, passwords: passwordsOf(context, step), now: context.now() })
  },
  async accept(context, step, staged) {
    const { password, keyPassword } = passwordsOf(context, step)
    const file = await readKeystoreFile(staged, password, { keyPassword, path: `The new ${step.path}` })
    if (!holdsMaterial(file, step.alias, context.material().plan)) {
      throw new CertloopError('KEYSTORE_UNREADABLE', `The new keystore for ${step.path}, read again, does not hold the key and its chain under "${step.alias}": it may hold another certificate of the same issuer that leads elsewhere. Nothing was touched.`, { path: step.path, alias: step.alias })
    }
  },
  digest: (_step, content) => sha256Hex(content),
  newDigest: ({ staged }) => staged,
})
