import { CertloopError } from '@certloop/contract'
import { sql } from 'kysely'
import type { Database } from '../database/database.ts'
import type { IssuedRow } from './issued-store.ts'

/** Rows in one statement. */
const atOnce = 50_000

function numbers(database: Database, from: number, count: number) {
  return database.kind === 'sqlite'
    ? sql`(with recursive n(i) as (select cast(${from} as integer) union all select i + 1 from n where i < ${from + count - 1}) select i from n) as n`
    : sql`generate_series(cast(${from} as integer), cast(${from + count - 1} as integer)) as n(i)`
}

/**
 * Puts revoked certificates of an issuer into the database as if they had been issued and revoked one by one, with
 * random serial numbers. By SQL alone: issuing a million would take the better part of an hour.
 * @param one a real one of that issuer: its certificate stands in all rows, since what they weigh counts
 */
export async function seedRevoked(database: Database, one: Pick<IssuedRow, 'issuerId' | 'certificatePem' | 'spki'>, count: number): Promise<void> {
  const { issuerId, certificatePem, spki } = one
  const serial = database.kind === 'sqlite' ? sql`lower(hex(randomblob(16)))` : sql`md5(random()::text || i::text)`
  const text = (before: string) => sql`${sql.lit(before)} || i`
  const id = database.kind === 'sqlite' ? sql`'cac_' || printf('%026d', i)` : sql`'cac_' || lpad(i::text, 26, '0')`
  const at = sql.lit('2026-05-01T00:00:00.000Z')
  // Nobody is harmed when a power cut takes it.
  if (database.kind === 'sqlite') for (const pragma of ['cache_size = -400000', 'synchronous = off']) await sql.raw(`pragma ${pragma}`).execute(database.db)
  for (let from = 1; from <= count; from += atOnce) {
    const most = Math.min(atOnce, count - from + 1)
    await sql`insert into ca_certificate (id, reference, "issuerId", "serialNumber", status, profile, subject, "commonName", names, request, spki, "notBefore", "notAfter", tbs, "certificatePem", fingerprint, shard,
      "revokedAt", "revocationReason", "invalidityDate", "changeNumber", "createdAt", "issuedAt")
      select ${id}, ${text('seed ')}, ${sql.lit(issuerId)}, ${serial}, 'revoked', 'server', '', null, '["shop.example.com"]', null, ${sql.lit(spki)}, ${at}, ${sql.lit('2099-01-01T00:00:00.000Z')}, null, ${sql.lit(certificatePem)}, ${text('seed')}, 0,
      ${at}, case when i % 3 = 0 then 'keyCompromise' else 'superseded' end, null, i, ${at}, ${at} from ${numbers(database, from, most)}`.execute(database.db)
  }
  await database.db.updateTable('ca_issuer').set({ changeNumber: count }).where('id', '=', issuerId).execute()
  const { found } = await database.db.selectFrom('ca_certificate').select((eb) => eb.fn.countAll<number>().as('found')).where('revokedAt', 'is not', null).executeTakeFirstOrThrow()
  if (found < count) throw new CertloopError('INTERNAL', `${found} of ${count} rows are there.`)
}
