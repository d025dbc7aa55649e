import type { ReactNode } from 'react'
import { Alert, AppShell, Badge, Box, Burger, Group, Text, Tooltip, VisuallyHidden } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { Session } from '@certloop/api-client'
import { AuthorityIcon, BotIcon, CaIcon, CertificateIcon, DeploymentIcon, DnsIcon, LogoIcon, OrderIcon, TokenIcon } from '../shared/icons.tsx'
import { NavigationLink } from '../shared/link.tsx'
import { useLiveUpdates, type Connection } from '../shared/live.ts'
import { userZone } from '../shared/time.ts'
import { UserMenu } from './user-menu.tsx'

const pages = [
  { to: '/certificates', label: 'Certificates', Icon: CertificateIcon, needs: 'certificate:read' },
  { to: '/orders', label: 'Orders', Icon: OrderIcon, needs: 'order:read' },
  { to: '/deployments', label: 'Deployments', Icon: DeploymentIcon, needs: 'deployment:read' },
  { to: '/authorities', label: 'Authorities', Icon: AuthorityIcon, needs: 'authority:read' },
  { to: '/dns-providers', label: 'DNS providers', Icon: DnsIcon, needs: 'dns:read' },
  { to: '/built-in-ca', label: 'Built-in CA', Icon: CaIcon, needs: 'ca:read' },
  { to: '/bots', label: 'Bots', Icon: BotIcon, needs: 'bot:read' },
  { to: '/tokens', label: 'API tokens', Icon: TokenIcon, needs: 'token:read' },
] as const

/** Header, navigation and the page. */
export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const [menuOpen, menu] = useDisclosure(false)
  const connection = useLiveUpdates()
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !menuOpen } }} padding="lg">
      <AppShell.Header>
        <a className="skip-link" href="#content">Skip to the content</a>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={menuOpen} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
            <Box c="indigo" display="flex"><LogoIcon size={26} /></Box>
            <Text fw={700} size="lg">Certloop</Text>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <ConnectionBadge connection={connection} />
            <UserMenu session={session} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Main">
        <Box flex={1}>
          {pages.filter(({ needs }) => session.permissions.includes(needs)).map(({ to, label, Icon }) => (
            <NavigationLink key={to} to={to} label={label} leftSection={<Icon size={18} />} onClick={menu.close} activeProps={{ active: true }} style={{ borderRadius: 8 }} />
          ))}
        </Box>
        <Text size="xs" c="dimmed" p="xs">Times are in {userZone}. Point at one for UTC.</Text>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} style={{ outline: 'none' }}>
        <Box maw={1200} mx="auto">
          {connection === 'lost' && <Alert color="orange" mb="md" role="status" title="No connection for live updates">What you see may be out of date. It is tried again by itself; check that the control plane runs and can be reached.</Alert>}
          {children}
        </Box>
      </AppShell.Main>
    </AppShell>
  )
}

const connections: Record<Connection, { color: string; label: string; hint: string }> = {
  connecting: { color: 'gray', label: 'Connecting', hint: 'Live updates are about to begin.' },
  open: { color: 'teal', label: 'Live', hint: 'Changes show here as they happen.' },
  lost: { color: 'orange', label: 'Connection lost', hint: 'What you see may be out of date.' },
}

function ConnectionBadge({ connection }: { connection: Connection }) {
  const { color, label, hint } = connections[connection]
  return <Tooltip label={hint}><Badge variant="dot" color={color}><VisuallyHidden>Live updates: </VisuallyHidden>{label}</Badge></Tooltip>
}
