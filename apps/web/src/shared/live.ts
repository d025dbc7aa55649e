import { useEffect, useState } from 'react'
import type { Query } from '@tanstack/react-query'
import { watchChanges, type ChangeNotice, type OperationId } from '@certloop/api-client'
import { client, queryClient, sessionKey } from './api.ts'

export type Connection = 'connecting' | 'open' | 'lost'

/** Lists and details that show something of each kind of thing. */
const showing: Record<ChangeNotice['kind'], { lists: OperationId[]; details: OperationId[] }> = {
  certificate: { lists: ['listCertificates'], details: ['getCertificate', 'getTimeline'] },
  order: { lists: ['listOrders', 'listOrderAttempts', 'listValidations'], details: ['getOrder', 'getCertificate', 'getTimeline'] },
  deployment: { lists: ['listDeployments', 'getBot'], details: ['getDeployment', 'getCertificate', 'getTimeline'] },
  action: { lists: [], details: ['getAction', 'getCertificate', 'getTimeline'] },
  bot: { lists: ['listBots'], details: ['getBot'] },
  rollout: { lists: ['listRollouts'], details: ['getRollout', 'getCertificate'] },
  batch: { lists: ['listBatches'], details: ['getBatch', 'listBatchItems'] },
  authority: { lists: ['listAuthorities'], details: ['getAuthority', 'getAuthorityUse'] },
  'dns-provider': { lists: ['listDnsProviders'], details: ['getDnsProvider'] },
  validation: { lists: ['listValidations', 'listOrderAttempts'], details: ['getValidation', 'getCertificate', 'getTimeline'] },
  'bulk-change': { lists: ['listBulkChanges'], details: ['getBulkChange', 'listBulkItems'] },
}

/** Whether what a query shows may have changed by these notices. */
export function isTouched(queryKey: readonly unknown[], notices: readonly ChangeNotice[]): boolean {
  const operation = queryKey[0] as OperationId
  const id = (queryKey[1] as { params?: { id?: string } } | undefined)?.params?.id
  return notices.some((notice) => {
    const { lists, details } = showing[notice.kind]
    return lists.includes(operation) || (details.includes(operation) && (id === notice.id || id === notice.certificateId))
  })
}

/** Follows the control plane's news and reads again what they touch. Notices that come close together count as one. */
export function useLiveUpdates(): Connection {
  const [connection, setConnection] = useState<Connection>('connecting')
  useEffect(() => {
    let waiting: ChangeNotice[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    let wasLost = false
    const flush = () => {
      const notices = waiting
      waiting = []
      timer = undefined
      void queryClient.invalidateQueries({ predicate: (query: Query) => isTouched(query.queryKey, notices) })
    }
    const watch = watchChanges(client, {
      onChange: (notice) => {
        waiting.push(notice)
        timer ??= setTimeout(flush, 100)
      },
      onOpen: () => {
        setConnection('open')
        if (wasLost) void queryClient.invalidateQueries()
        wasLost = false
      },
      onLost: () => {
        setConnection('lost')
        // The session may be over: then the sign-in page takes over.
        if (!wasLost) void queryClient.invalidateQueries({ queryKey: sessionKey })
        wasLost = true
      },
    })
    return () => { clearTimeout(timer); watch.close() }
  }, [])
  return connection
}
