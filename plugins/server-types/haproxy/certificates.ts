import { CertloopError } from '@certloop/contract'
import { certificateBlocks, type Host, inParallel } from '@certloop/plugin-kit'
import { readCertificates } from '@certloop/pki'
import path from 'node:path'
import { parseCrtList } from './crt-list.ts'
import type { CertificateName, Settings } from './sections.ts'

/** A certificate of a bind line as it is loaded. */
export interface Loaded {
  certificatePath: string
  keyPath: string
  /** Server name filters of a crt-list; none: the names in the certificate count. */
  filters: readonly string[]
  excluded: readonly string[]
}

/** What a certificate file says of itself. */
export interface Content { names: string[]; keyType: 'rsa' | 'ec' | null; holdsKey: boolean }

const reserved = /\.(key|issuer|ocsp|sctl)$/
const bundleSuffixes = ['.rsa', '.ecdsa', '.dsa']
const atOnce = 16

/** Looks each file up once: the same one may stand behind many bind lines. */
export interface CertificateReader {
  load(name: CertificateName): Promise<Loaded[]>
  contentOf(certificatePath: string): Promise<Content>
  /** crt-lists that were read, for observing them. */
  texts: { name: string; text: string }[]
}

export function certificateReader(host: Host, { crtBase, extraFiles, removesExtension }: Settings, workingDirectory: string): CertificateReader {
  const contents = new Map<string, Promise<Content>>()
  const texts: CertificateReader['texts'] = []
  const lists = new Map<string, Promise<string>>()
  const based = (file: string) => path.posix.resolve(workingDirectory, crtBase ?? '', file)
  const contentOf = (file: string) => {
    const known = contents.get(file) ?? readContent(host, file)
    contents.set(file, known)
    return known
  }
  const keyOf = async (file: string) => {
    if (!extraFiles.has('key') || (await contentOf(file)).holdsKey) return file
    return `${removesExtension ? file.replace(/\.crt$/, '') : file}.key`
  }
  const one = async (file: string, filters: readonly string[] = [], excluded: readonly string[] = []): Promise<Loaded> => ({ certificatePath: file, keyPath: await keyOf(file), filters, excluded })

  /** A file, the files of a folder, or a bundle of which only the base name is given. */
  const crt = async (file: string, filters: readonly string[] = [], excluded: readonly string[] = []): Promise<Loaded[]> => {
    const facts = await host.stat(await host.realPath(file) ?? file)
    if (facts?.type === 'directory') return inParallel(await filesOf(host, file), atOnce, (entry) => one(entry))
    if (facts !== undefined || !extraFiles.has('bundle')) return [await one(file, filters, excluded)]
    const bundled = await Promise.all(bundleSuffixes.map(async (suffix) => (await host.stat(file + suffix) === undefined ? [] : [await one(file + suffix, filters, excluded)])))
    return bundled.flat().length > 0 ? bundled.flat() : [await one(file, filters, excluded)]
  }
  const list = async (file: string): Promise<Loaded[]> => {
    if (!lists.has(file)) lists.set(file, readText(host, file).then((text) => { texts.push({ name: file, text }); return text }))
    const lines = parseCrtList(await lists.get(file) ?? '')
    return (await inParallel(lines, atOnce, (line) => crt(based(line.path), line.filters, line.excluded))).flat()
  }
  // A crt-list is looked for where HAProxy works, the files in it below crt-base.
  return { contentOf, texts, load: (name) => (name.kind === 'crt' ? crt(based(name.path)) : list(path.posix.resolve(workingDirectory, name.path))) }
}

/** As HAProxy does it: regular files without a dot in front and without the extensions of extra files, by name. */
async function filesOf(host: Host, folder: string): Promise<string[]> {
  const names = (await host.list(folder)).filter((name) => !name.startsWith('.') && !reserved.test(name)).toSorted((a, b) => (a < b ? -1 : 1))
  const checked = await inParallel(names, atOnce, async (name) => {
    const file = path.posix.join(folder, name)
    return (await host.stat(await host.realPath(file) ?? file))?.type === 'file' ? [file] : []
  })
  return checked.flat()
}

async function readText(host: Host, file: string): Promise<string> {
  const content = await host.readFile(file)
  if (content === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The configuration names ${file}, which is not there.`, { path: file })
  return Buffer.from(content).toString('utf8')
}

/** A file that can't be read is shown as a problem of its place later. */
async function readContent(host: Host, file: string): Promise<Content> {
  const content = await host.readFile(file).catch(() => undefined)
  const text = Buffer.from(content ?? []).toString('latin1')
  return { ...describeLeaf(certificateBlocks(text)), holdsKey: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text) }
}

/** The names that HAProxy takes from a certificate: DNS names and the common name. */
export function describeLeaf(pem: string): Pick<Content, 'names' | 'keyType'> {
  const leaf = readLeaf(pem)
  if (leaf === undefined) return { names: [], keyType: null }
  const all = [...leaf.names, ...(leaf.commonName === null ? [] : [leaf.commonName])].map((name) => name.toLowerCase()).filter((name) => /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) && !/^[\d.]+$/.test(name))
  const { keyAlgorithm } = leaf
  return { names: [...new Set(all)], keyType: keyAlgorithm.startsWith('rsa') ? 'rsa' : keyAlgorithm.startsWith('ec') ? 'ec' : null }
}

function readLeaf(pem: string) {
  try {
    return readCertificates(pem)[0]
  } catch {
    return undefined // damaged: its place shows it
  }
}
