import type { PairPaths } from '../shared/pem-files/pairs.ts'

/** Which kinds of blocks a PEM file holds, as far as the order matters to Postfix. */
export interface ChainFile { path: string; content: string | undefined }

export type Found = { pair: PairPaths; keyFirst: boolean } | { problem: string }

const blocks = /^-----BEGIN (?:([A-Z0-9]+ )*PRIVATE KEY|(?:X509 |TRUSTED )?CERTIFICATE)-----/gm

/** "k" for each key and "c" for each run of certificates. */
const outline = (text: string) => [...text.matchAll(blocks)].map(([label]) => (label.includes('KEY') ? 'k' : 'c')).join('').replaceAll(/c+/g, 'c')

/**
 * The pairs of smtpd_tls_chain_files: each key stands before its certificates, in one file or in the one before
 * (postconf(5)). What else can be written there is told as a problem.
 */
export function pairsOfChainFiles(files: readonly ChainFile[]): Found[] {
  const found: Found[] = []
  let key: string | undefined
  for (const { path, content } of files) {
    const shape = content === undefined ? '' : outline(content)
    const loose = key === undefined ? undefined : `${key} holds a key whose certificate does not follow`
    if (shape === 'c' && key !== undefined) found.push({ pair: { certificatePath: path, keyPath: key, chainPath: null }, keyFirst: false })
    else {
      if (loose !== undefined) found.push({ problem: loose })
      if (shape === 'kc') found.push({ pair: { certificatePath: path, keyPath: path, chainPath: null }, keyFirst: true })
      else if (shape !== 'k') found.push({ problem: `${path} ${shapeProblem(content, shape)}` })
    }
    key = shape === 'k' ? path : undefined
  }
  return key === undefined ? found : [...found, { problem: `${key} holds a key whose certificate does not follow` }]
}

function shapeProblem(content: string | undefined, shape: string): string {
  if (content === undefined) return 'is not there or can not be read'
  if (shape === '') return 'holds neither a key nor a certificate'
  if (shape.split('k').length > 2) return 'holds several keys; give each certificate a file of its own'
  return 'holds a certificate before its key; Postfix takes the key first'
}
