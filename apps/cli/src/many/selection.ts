import { readFile } from 'node:fs/promises'
import type { CertificateSummary, Selection } from '@certloop/api-client'
import { certificateStatuses } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findCertificate, isIdOf } from '../find.ts'
import { readPages } from '../page.ts'

export const selectionArgument = { certificate: { help: 'ids or names; or choose with --search, --status or --list', many: true, none: true } } as const
export const selectionOptions = {
  search: { type: 'string', value: 'TEXT', help: 'all certificates with this text in a name, as it is at this moment' },
  status: { type: 'string', value: 'STATUS', choices: certificateStatuses, help: 'all with this status at this moment' },
  list: { type: 'string', value: 'FILE', help: 'those in this file, an id or name to a line; "-" reads standard input' },
} as const satisfies OptionSpecs
type SelectionGiven = Given<Record<never, never>, typeof selectionOptions>['options']

/** From so many names on, one list of all is quicker than a search for each. */
const fewNames = 5

async function readList({ world }: Context, file: string): Promise<string[]> {
  const text = file === '-' ? await world.readInput() : await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The list can not be read: ${error.message}.`) })
  const words = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  if (words.length === 0) throw usage(`${file === '-' ? 'Standard input' : file} names no certificate.`)
  return words
}

/** Ids by what the words may be: the label first, then a DNS name that only one has. */
async function idsByName(context: Context): Promise<(word: string) => CertificateSummary['id'] | undefined> {
  const client = await context.client()
  const { items } = await readPages({ limit: undefined, all: true, cursor: undefined }, (query) => client.call('listCertificates', { query }))
  const byName = Map.groupBy(items, ({ name }) => name.toLowerCase())
  const byDnsName = Map.groupBy(items.flatMap((item) => item.names.map((name) => ({ item, name: name.toLowerCase() }))), ({ name }) => name)
  return (word) => {
    const named = byName.get(word.toLowerCase()) ?? byDnsName.get(word.toLowerCase())?.map(({ item }) => item) ?? []
    return named.length === 1 ? named[0]?.id : undefined
  }
}

/** @throws Failure naming what can't be told apart or is not there */
async function idsOf(context: Context, words: readonly string[]): Promise<CertificateSummary['id'][]> {
  const names = words.filter((word) => !isIdOf('crt', word))
  const known = names.length > fewNames ? await idsByName(context) : () => undefined
  const ids = new Set<CertificateSummary['id']>()
  for (const word of words) ids.add(known(word) ?? await findCertificate(context, word))
  return [...ids]
}

/** Which certificates the words on the line mean. @throws Failure when they mean none, or mix both ways */
export async function readSelection(context: Context, words: readonly string[], { search, status, list }: SelectionGiven): Promise<Selection> {
  const named = [...words, ...(list === undefined ? [] : await readList(context, list))]
  const searched = (search ?? status) !== undefined
  if (named.length > 0 && searched) throw usage('Name the certificates, or choose them with --search and --status; not both.')
  if (named.length > 0) return { certificateIds: await idsOf(context, named) }
  if (!searched) throw usage('Say which certificates: by name or id, with --list, or with --search and --status.', 'All of them: --search ""')
  return { ...(search === undefined ? {} : { search }), ...(status === undefined ? {} : { status }) }
}

/** "12 done, 3 failed, 85 waiting" */
export const countsText = (counts: Readonly<Record<string, number>>): string => Object.entries(counts).filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`).join(', ') || 'none'
