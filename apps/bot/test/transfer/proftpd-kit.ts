import { freePort, requireTool, runProcess, startProcess, tempFolder, type TestProcess, writePair, selfSignedPair, type TestPair, eventually } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface FtpServer { port: number; root: string; pair: TestPair; user: string; password: string; log: string; process: TestProcess; clients: { close(): void }[] }

/** Debian's ProFTPD with TLS as a place to upload to: one virtual user, owner of the folder. */
export async function startUploadServer(t: TestContext, { implicit = false, tls = true, lines = '' }: { implicit?: boolean; tls?: boolean; lines?: string } = {}): Promise<FtpServer> {
  const folder = await tempFolder(t, 'upload')
  await chmod(folder, 0o755)
  const [root, log] = [join(folder, 'root'), join(folder, 'log')]
  await mkdir(root)
  const pair = await selfSignedPair(['ftp.upload.test'], 'rsa')
  const files = await writePair(folder, 'ftp', pair)
  const password = 'upload-password-1'
  const { stdout: hash } = await runProcess(t, [requireTool('openssl'), 'passwd', '-6', password])
  await writeFile(join(folder, 'users'), `upload:${hash.trim()}:0:0::${root}:/bin/sh\n`, { mode: 0o600 })
  const port = await freePort()
  const options = implicit ? 'TLSOptions UseImplicitSSL' : ''
  await writeFile(join(folder, 'proftpd.conf'), `
ModulePath /usr/lib/proftpd
LoadModule mod_tls.c
ServerType standalone
ServerName upload
DefaultAddress 127.0.0.1
SocketBindTight on
Port ${port}
UseIPv6 off
User nobody
Group nogroup
PidFile ${folder}/pid
ScoreboardFile ${folder}/scoreboard
DelayTable none
WtmpLog off
TransferLog none
SystemLog ${log}
AuthOrder mod_auth_file.c
AuthUserFile ${folder}/users
RequireValidShell off
RootLogin on
DefaultRoot ${root}
AllowOverwrite on
${tls ? `TLSEngine on\nTLSRequired on\nTLSLog ${log}\nTLSRSACertificateFile ${files.certPath}\nTLSRSACertificateKeyFile ${files.keyPath}\n${options}` : ''}
${lines}
`)
  // Its sessions hold its output open: they have to end before it can be waited for.
  const clients: FtpServer['clients'] = []
  t.after(() => { for (const client of clients) client.close() })
  const process = await startProcess(t, [requireTool('proftpd'), '-n', '-q', '-c', join(folder, 'proftpd.conf')])
  await eventually(() => takesConnections(port).catch(() => { assert.equal(process.child.exitCode, null, process.output()); return false }), { what: 'ProFTPD taking connections' })
  return { port, root, pair, user: 'upload', password, log, process, clients }
}

async function takesConnections(port: number): Promise<true> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
  return true
}
