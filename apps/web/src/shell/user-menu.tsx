import { ActionIcon, Button, Menu, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { Session } from '@certloop/api-client'
import { PasswordDialogue } from '../session/change-password.tsx'
import { beginSession, client } from '../shared/api.ts'
import { SunIcon } from '../shared/icons.tsx'
import { tellProblem } from '../shared/notify.ts'

/** Who is signed in, dark or light, and the way out. */
export function UserMenu({ session }: { session: Session }) {
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light')
  const [changing, dialogue] = useDisclosure(false)
  return (
    <>
      <Tooltip label={scheme === 'dark' ? 'Light' : 'Dark'}>
        <ActionIcon variant="subtle" color="gray" aria-label={`Switch to ${scheme === 'dark' ? 'light' : 'dark'} colours`} onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}><SunIcon size={18} /></ActionIcon>
      </Tooltip>
      <Menu position="bottom-end" width={240}>
        <Menu.Target><Button variant="default" size="xs">{session.name}</Button></Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Signed in as {session.name}<Text size="xs">{session.role === null ? 'With an API token' : `Role: ${session.role}`}</Text></Menu.Label>
          <Menu.Item onClick={dialogue.open}>Change password</Menu.Item>
          <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <PasswordDialogue opened={changing} onClose={dialogue.close} />
    </>
  )
}

async function signOut(): Promise<void> {
  try {
    await client.call('signOut')
  } catch (error) {
    tellProblem('Not signed out', error)
    return
  }
  beginSession(null)
}
