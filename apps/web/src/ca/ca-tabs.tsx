import { Group } from '@mantine/core'
import { ButtonLink } from '../shared/link.tsx'

const parts = [{ to: '/built-in-ca', label: 'Issuers', exact: true }, { to: '/built-in-ca/certificates', label: 'Issued certificates', exact: false }, { to: '/built-in-ca/profiles', label: 'Profiles', exact: false }] as const

/** The parts of the built-in CA, over each of its lists. */
export function CaTabs() {
  return (
    <Group component="nav" gap={4} aria-label="Built-in CA">
      {parts.map(({ to, label, exact }) => (
        <ButtonLink key={to} to={to} search={{}} size="xs" variant="subtle" color="gray" activeOptions={{ exact, includeSearch: false }} activeProps={{ variant: 'light', color: 'indigo' }}>{label}</ButtonLink>
      ))}
    </Group>
  )
}
