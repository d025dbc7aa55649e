import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { aroundActivation, type ChosenPoints, crashTests, eachChange, everyEnd, everyPoint } from './conformance-crash.ts'
import { deployTests } from './conformance-deploy.ts'
import { detectTests } from './conformance-detect.ts'
import { fieldTests, manifestTests } from './conformance-manifest.ts'
import { sceneOf } from './conformance-scene.ts'
import { secretTests } from './conformance-secrets.ts'
import type { ConformanceOptions, ConformanceReach } from './conformance-subject.ts'
import { badInputTests, undoTests } from './conformance-undo.ts'
import type { ServerTypeEntry } from './driver.ts'

export * from './conformance-subject.ts'

/** Registers the tests that every server type has to pass. Call it at the top level of a test file. */
export function serverTypeConformance(entry: ServerTypeEntry, options: ConformanceOptions): void {
  const { id, reaches = ['local', 'ssh'] } = entry.manifest
  describe(`server type ${id}: what is said about it`, () => manifestTests(entry.manifest, options.folder))
  const used = options.reaches.filter(({ kind }) => reaches.includes(kind))
  test(`server type ${id}: there is a bench for a way to it`, () => assert.ok(used.length > 0, `the manifest names ${reaches.join(', ')}`))
  for (const [index, reach] of used.entries()) {
    test(`server type ${id}, ${reachNames[reach.kind]}`, { skip: options.skip || reach.skip || false }, (t) => reachTests(t, entry, options, reach, index === 0))
  }
}

const reachNames: Readonly<Record<ConformanceReach['kind'], string>> = { local: 'on this machine', ssh: 'over SSH', sftp: 'over SFTP', ftp: 'over FTP' }

/** Every one of these leaves the server serving one of the two pairs; which one, the next finds out by itself. */
async function reachTests(t: TestContext, entry: ServerTypeEntry, options: ConformanceOptions, reach: ConformanceReach, first: boolean): Promise<void> {
  const bench = await reach.bench(t)
  const scene = await sceneOf(entry, bench, await options.makeSubject(t, bench))
  if (first) await fieldTests(t, scene)
  await detectTests(t, scene)
  await badInputTests(t, scene)
  await deployTests(t, scene)
  await undoTests(t, scene)
  await crashTests(t, scene, chosenPoints(options, first))
  await secretTests(t, scene)
}

/** The engine ends what was cut off in the same manner over all ways, and each call to a host that is far away takes its time. */
function chosenPoints({ thorough = false }: ConformanceOptions, first: boolean): ChosenPoints {
  if (first) return thorough ? everyPoint : eachChange
  return thorough ? everyEnd : aroundActivation
}
