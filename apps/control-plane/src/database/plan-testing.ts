import { CompiledQuery, createQueryId, type RootOperationNode } from 'kysely'
import type { Database } from './database.ts'

interface PlanNode { 'Relation Name'?: string; 'Actual Rows'?: number; 'Actual Loops'?: number; 'Rows Removed by Filter'?: number; Plans?: PlanNode[] }

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]
/** Rows that were read from tables, those that a filter threw away included. */
const rowsRead = (plan: PlanNode): number =>
  nodesOf(plan).filter((node) => node['Relation Name'] !== undefined)
    .reduce((sum, node) => sum + ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * (node['Actual Loops'] ?? 1), 0)

/**
 * The whole-table reads among the queries that `work` runs, as the database itself explains them; empty when each one
 * finds its rows by an index. SQLite: steps that scan, or search by what `tooWide` names. PostgreSQL: statements that read
 * more than `most` rows; the tables have to be filled and analysed.
 * @param narrow indexes that hold few rows, so that reading all of one is fine
 */
export async function wideReads(database: Database, work: (database: Database) => Promise<unknown>, { most = 20, tooWide = /^$/, narrow = /^$/ }: { most?: number; tooWide?: RegExp; narrow?: RegExp } = {}): Promise<string[]> {
  const seen: RootOperationNode[] = []
  const recording = database.db.withPlugin({ transformQuery: ({ node }) => { seen.push(node); return node }, transformResult: async ({ result }) => result })
  await work({ ...database, db: recording })
  const found: string[] = []
  for (const node of seen) {
    const { sql, parameters } = database.db.getExecutor().compileQuery(node, createQueryId())
    const explain = async <R>(word: string) => (await database.db.executeQuery<R>(CompiledQuery.raw(`${word} ${sql}`, [...parameters]))).rows
    if (database.kind === 'sqlite') {
      const steps = (await explain<{ detail: string }>('explain query plan')).map(({ detail }) => detail)
      found.push(...steps.filter((step) => tooWide.test(step) || (/^SCAN (?!\()/.test(step) && !narrow.test(step))).map((step) => `${step} — ${sql}`))
    } else {
      const [row] = await explain<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>('explain (analyze, format json)')
      const plan = row?.['QUERY PLAN'][0].Plan
      if (!plan || rowsRead(plan) > most) found.push(`${plan ? rowsRead(plan) : 'unknown'} rows read — ${sql}`)
    }
  }
  if (seen.length === 0) throw new Error('no query was run')
  return found
}
