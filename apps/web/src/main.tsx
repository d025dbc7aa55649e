import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './global.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { router } from './router.tsx'
import { queryClient } from './shared/api.ts'
import { ClockContext } from './shared/clock.ts'
import { theme } from './theme.ts'

const root = document.getElementById('root')
if (root === null) throw new Error('the page has no element "root"')
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-left" autoClose={4000} />
      <QueryClientProvider client={queryClient}>
        <ClockContext value={() => new Date()}><RouterProvider router={router} /></ClockContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
