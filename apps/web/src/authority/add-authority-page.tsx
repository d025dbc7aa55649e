import { Alert } from '@mantine/core'
import { useMay, useRead } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page } from '../shared/page.tsx'
import { AuthorityForm } from './authority-form.tsx'

export function AddAuthorityPage() {
  const types = useRead('listAuthorityTypes', {})
  const mayWrite = useMay('authority:write')
  return (
    <Page title="Add an authority" above={<TextLink to="/authorities" fz="sm">Authorities</TextLink>} summary="It is tested as soon as it is saved, and kept whatever the test says.">
      {mayWrite ? <Loaded result={types}>{({ items }) => <AuthorityForm types={items} stored={null} />}</Loaded> : <Alert color="gray" title="You can not add authorities">Ask an administrator for the right authority:write.</Alert>}
    </Page>
  )
}
