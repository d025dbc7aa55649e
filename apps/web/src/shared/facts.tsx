import type { ReactNode } from 'react'
import { DataList } from '@mantine/core'

/** Names and values side by side; those without a value are left out. */
export function Facts({ of }: { of: Record<string, ReactNode> }) {
  return (
    <DataList size="sm" labelWidth={150}>
      {Object.entries(of).filter(([, value]) => value !== null && value !== undefined && value !== '').map(([label, value]) => (
        <DataList.Item key={label}>
          <DataList.ItemLabel maw={150} style={{ whiteSpace: 'normal' }}>{label}</DataList.ItemLabel>
          <DataList.ItemValue style={{ overflowWrap: 'anywhere', minWidth: 0 }}>{value}</DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList>
  )
}
