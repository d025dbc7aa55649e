import type { ReactNode } from 'react'
import { Button, Group, Table, UnstyledButton } from '@mantine/core'
import { tableFeatures, useTable } from '@tanstack/react-table'

const features = tableFeatures({})

export interface Column<T> {
  id: string
  header: string
  cell: (row: T) => ReactNode
  /** Values of the list's "sort" parameter; the header becomes a button. */
  sort?: { ascending: string; descending?: string }
  width?: string | number
}

interface Props<T extends object> {
  /** Said to screen readers. */
  label: string
  rows: readonly T[]
  rowId: (row: T) => string
  columns: readonly Column<T>[]
  sort?: string | undefined
  onSort?: (sort: string) => void
  /** Narrower than this many pixels it is scrolled sideways. */
  minWidth?: number
  /** Where the list goes on. */
  more?: { hasMore: boolean; loading: boolean; load: () => void }
}

/** A table of things read from the API; the API sorts. */
export function DataTable<T extends object>({ label, rows, rowId, columns, sort, onSort, minWidth = 640, more }: Props<T>) {
  const table = useTable<typeof features, T>({
    features,
    data: rows,
    getRowId: rowId,
    columns: columns.map((column) => ({ id: column.id, header: column.header, cell: ({ row }) => column.cell(row.original) })),
  })
  return (
    <>
      {/* Its own frame for hidden texts in the cells, or they would widen the page. */}
      <Table.ScrollContainer minWidth={minWidth} type="native" pos="relative">
        <Table highlightOnHover verticalSpacing="sm" aria-label={label}>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Table.Th key={column.id} w={column.width} aria-sort={ariaSort(column, sort)}>
                  <SortHeader column={column} sort={sort} onSort={onSort} />
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {table.getRowModel().rows.map((row) => (
              <Table.Tr key={row.id}>
                {row.getAllCells().map((cell) => <Table.Td key={cell.id}><table.FlexRender cell={cell} /></Table.Td>)}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {more?.hasMore && <Group justify="center" mt="sm"><Button variant="default" loading={more.loading} onClick={more.load}>Show more</Button></Group>}
    </>
  )
}

function ariaSort<T>({ sort: own }: Column<T>, sort: string | undefined): 'ascending' | 'descending' | undefined {
  if (own === undefined || sort === undefined) return undefined
  if (sort === own.ascending) return 'ascending'
  return sort === own.descending ? 'descending' : undefined
}

function SortHeader<T>({ column, sort, onSort }: { column: Column<T>; sort: string | undefined; onSort: ((sort: string) => void) | undefined }) {
  const own = column.sort
  if (own === undefined || onSort === undefined) return column.header
  const state = ariaSort(column, sort)
  const next = state === 'ascending' && own.descending !== undefined ? own.descending : own.ascending
  return (
    <UnstyledButton fz="inherit" fw={700} onClick={() => onSort(next)}>
      {column.header} <span aria-hidden="true">{state === 'ascending' ? '↑' : state === 'descending' ? '↓' : '↕'}</span>
    </UnstyledButton>
  )
}
