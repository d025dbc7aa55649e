import assert from 'node:assert/strict'
import { testOnDatabases } from '../database/database-testing.ts'
import { refreshCertificate } from './certificate-refresh.ts'
import { findCertificate, updateInstallation } from './certificate-store.ts'
import { makeWorld, place } from '../world-testing.ts'

testOnDatabases('changes to one certificate at the same moment: none is overlooked by the status', async (t, database) => {
  const w = await makeWorld(t, database)
  const bots = [await w.addBot('a'), await w.addBot('b'), await w.addBot('c')]
  const id = await w.configured('race.example', bots)
  await w.act(id, 'rotate')
  const { installations } = await w.detail(id)
  assert.equal(installations.length, 3)
  for (let round = 0; round < 10; round++) {
    const spoil = round % 2 === 0
    await Promise.all(installations.map((i) => database.transaction(async (tx, wake) => {
      await updateInstallation(tx, i.id, { fingerprint: spoil ? 'f'.repeat(64) : i.fingerprint })
      await refreshCertificate(tx, wake, id, w.now())
    })))
    const row = await findCertificate(database.db, id)
    if (spoil) assert.equal(row?.problem?.match(/out-of-sync/g)?.length, 3, `round ${round}: ${row?.problem}`)
    else assert.deepEqual([row?.status, row?.problem], ['deployed', null], `round ${round}`)
  }
})

testOnDatabases('a refresh writes what is derived, once; a certificate that is gone is left alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('once.example', [bot])
  await w.act(id, 'rotate')
  const [before, tasks] = [await findCertificate(database.db, id), await database.db.selectFrom('task').select(['dedupe', 'notBefore', 'state']).where('subject', '=', id).orderBy('dedupe').execute()]
  await database.transaction((tx, wake) => refreshCertificate(tx, wake, id, w.now()))
  assert.deepEqual(await findCertificate(database.db, id), before)
  assert.deepEqual(await database.db.selectFrom('task').select(['dedupe', 'notBefore', 'state']).where('subject', '=', id).orderBy('dedupe').execute(), tasks)
  assert.deepEqual(tasks.map((task) => task.dedupe), [`refresh:${id}`, `renew:${id}`])
  assert.equal(await database.transaction((tx, wake) => refreshCertificate(tx, wake, 'crt_00000000000000000000000000', w.now())), undefined)
  assert.equal(bot.installed.has(place('once.example').certificatePath), true)
})
