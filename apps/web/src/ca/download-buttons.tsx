import { Button, Group, Text } from '@mantine/core'
import { derOf, fileName, saveFile } from './download.ts'

const pemType = 'application/x-pem-file'

/** One certificate as PEM or DER; with its chain where there is one. */
export function CertificateDownloads({ name, certificatePem, chainPem = [], rootPem = null }: { name: string; certificatePem: string; /** Leaf first. */ chainPem?: readonly string[]; rootPem?: string | null }) {
  const file = fileName(name)
  return (
    <Group gap="xs">
      <Text size="xs" c="dimmed" aria-hidden="true">Download</Text>
      <SaveButton label="PEM" title={`Download ${name} as PEM`} save={() => saveFile(`${file}.pem`, certificatePem, pemType)} />
      <SaveButton label="DER" title={`Download ${name} as DER`} save={() => saveFile(`${file}.cer`, derOf(certificatePem), 'application/pkix-cert')} />
      {chainPem.length > 1 && <SaveButton label="With chain (PEM)" title={`Download ${name} with its chain`} save={() => saveFile(`${file}-chain.pem`, joined(chainPem), pemType)} />}
      {rootPem !== null && <SaveButton label="Root (PEM)" title={`Download the root of ${name}`} save={() => saveFile(`${file}-root.pem`, joined([rootPem]), pemType)} />}
    </Group>
  )
}

export function SaveButton({ label, title, save }: { label: string; title: string; save: () => void }) {
  return <Button size="compact-sm" variant="default" aria-label={title} onClick={save}>{label}</Button>
}

const joined = (pems: readonly string[]): string => pems.map((pem) => `${pem.trim()}\n`).join('')
