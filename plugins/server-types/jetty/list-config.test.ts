import type { Host } from '@certloop/plugin-kit'
import { jettyBase, jettyLeftOut, runProcess } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readStart } from './start.ts'

/** As much of a host as this takes. */
const host = {
  readFile: (file: string) => readFile(file).catch(() => undefined),
  list: (folder: string) => readdir(folder).catch(() => []),
} as unknown as Host

const byText = (a = '', b = '') => (a < b ? -1 : 1)

/** What Jetty says of itself: properties and XML files. */
async function listConfig(t: TestContext, home: string, base: string, args: readonly string[]) {
  const { stdout } = await runProcess(t, ['java', '-XX:TieredStopAtLevel=1', `-Djetty.home=${home}`, `-Djetty.base=${base}`, '-jar', join(home, 'start.jar'), '--list-config', ...args], { cwd: base })
  const section = (title: RegExp) => (stdout.split(/\n(?=[A-Z][^\n]*:[^\n]*\n-{3,})/).find((part) => title.test(part)) ?? '').split('\n').slice(2).map((line) => line.trim()).filter((line) => line !== '')
  return { properties: section(/^Properties/), xmls: section(/Active XMLs/).map((line) => line.replace('${jetty.home}', home).replace('${jetty.base}', base).split('/').at(-1)) }
}

for (const release of ['debian', 'jetty-home-12'] as const) {
  test(`the configuration is what start.jar --list-config of ${release} says`, { skip: await jettyLeftOut(release) }, async (t) => {
    const { base, home } = await jettyBase(t, { release, modules: ['https', 'ssl-reload', 'own'], settings: async (folder) => {
      await mkdir(join(folder, 'modules'))
      await writeFile(join(folder, 'modules', 'own.mod'), '[depend]\nhttp\n[xml]\netc/own.xml\n[ini]\nown.a?=module\nown.e?=module\n')
      await writeFile(join(folder, 'etc', 'own.xml'), '<Configure/>')
      await writeFile(join(folder, 'start.ini'), 'own.a=ini\nown.list=1\n#own.a=no\n')
      await writeFile(join(folder, 'start.d', '9.ini'), 'own.a=nine\nown.list+=,3\n')
      await writeFile(join(folder, 'start.d', 'A10.ini'), 'own.a=ten\nown.c?=first')
      await writeFile(join(folder, 'start.d', '10.ini'), 'own.list+=,2\nown.c?=earlier')
      return []
    } })
    const args = ['own.d=line', 'etc/own.xml']
    const said = await listConfig(t, home, base, args)
    const { properties, xmls } = await readStart(host, { home, base, arguments: args, java: { properties: new Map() } as never })
    assert.deepEqual(said.properties.filter((line) => line.startsWith('own.')), [...properties].filter(([name]) => name.startsWith('own.')).map(([name, value]) => `${name} = ${value}`).toSorted(byText))
    assert.equal(properties.get('own.list'), '1,2,3')
    assert.ok(said.properties.includes('own.e = module'))
    // Which of two that don't need each other comes first differs; none of Jetty's own settles what another one does.
    const concerned = said.xmls.filter((name = '') => !/^jetty-(threadpool|bytebufferpool|scheduler|http-config)/.test(name))
    assert.deepEqual(xmls.map(({ path }) => path.split('/').at(-1)).toSorted(byText), concerned.toSorted(byText))
    assert.ok(said.xmls.includes('jetty-ssl-context-reload.xml'))
  })
}
