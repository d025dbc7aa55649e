import { type Account, CertloopError } from '@certloop/contract'
import type { RunOptions, RunResult } from '@certloop/plugin-kit'
import { defaultOutputLimit, defaultTimeoutSeconds, timeoutError } from '../local-run.ts'
import { notFound } from '../limits.ts'
import type { FarSide } from './ask.ts'
import { quoted, quotedList } from './script.ts'

/** After the deadline of the far side: SIGTERM, 2 s, SIGKILL, and the way back. */
const graceMs = 6000

/**
 * Runs a program on the far host: words of argv as they are, no terminal, closed standard input, small environment. The
 * far side itself ends the whole process group at the deadline, so that nothing stays behind when the bot goes away.
 */
export async function runFar(far: FarSide, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const program = programOf(argv, options)
  const { signal } = options
  signal?.throwIfAborted()
  const timeoutSeconds = options.timeoutSeconds ?? defaultTimeoutSeconds
  const started = performance.now()
  const answer = await far.ask({ script: runScript(argv, options, far.userland.path), timeoutMs: timeoutSeconds * 1000 + graceMs, limitBytes: options.outputLimitBytes ?? defaultOutputLimit, ...(signal === undefined ? {} : { stop: { signal, line: stopWord } }) })
  const durationMs = performance.now() - started
  const [stdout, stderr] = [answer.stdout.toString('utf8'), answer.stderr.toString('utf8')]
  if (wasEnded(answer)) signal?.throwIfAborted()
  if (answer.late || durationMs >= timeoutSeconds * 1000) throw timeoutError(program, timeoutSeconds, { stdout, stderr })
  refuseUnrun(answer.mark, stderr, program, far.reach.user, options)
  return { exitCode: answer.exitCode, stdout, stderr, truncated: answer.truncated, durationMs }
}

/** @throws CertloopError COMMAND_FAILED, COMMAND_NOT_ALLOWED for what can not be run anywhere */
function programOf(argv: readonly string[], options: RunOptions): string {
  const [program] = argv
  if (program === undefined) throw new CertloopError('COMMAND_FAILED', 'A command without a program was asked for.')
  if (program.includes('/') && !program.startsWith('/')) throw notFound(program)
  if (holdsZero(argv, options)) throw new CertloopError('COMMAND_FAILED', `${program}: its words or variables hold a zero byte.`, { program })
  return program
}

/** What the script of the far side says when it ran nothing. */
function refuseUnrun(mark: string, stderr: string, program: string, user: string, { runAs }: RunOptions): void {
  if (stderr.endsWith(`${mark} no program\n`)) throw notFound(program)
  if (stderr.endsWith(`${mark} other account\n`)) throw otherAccount(program, user, runAs)
}

const stopWord = 'stop'
/** A command that had ended by itself before it heard of it counts. */
const wasEnded = ({ late, exitCode }: { late: boolean; exitCode: number }) => late || exitCode > 128

const holdsZero = (argv: readonly string[], { environment = {} }: RunOptions) => [...argv, ...Object.entries(environment).flat()].some((text) => text.includes('\0'))

const otherAccount = (program: string, user: string, runAs: Account | undefined) => new CertloopError('COMMAND_NOT_ALLOWED',
  `The bot may not run ${program}: it belongs to a service of user ${runAs?.uid ?? '?'}, and the account ${user} can not change to that one.`, { program })

function runScript(argv: readonly string[], { timeoutSeconds = defaultTimeoutSeconds, environment = {}, runAs, signal }: RunOptions, path: string): string {
  const [program = ''] = argv
  const variables = Object.entries({ PATH: path, LC_ALL: 'C', LANG: 'C', ...environment }).map(([name, value]) => `${name}=${value}`)
  // What env would take for a variable or an option is started by a shell.
  const plain = !program.includes('=') && !program.startsWith('-')
  const words = plain ? `env -i ${quotedList([...variables, ...argv])}` : `env -i ${quotedList(variables)} /bin/sh -c 'exec "$@"' sh "$f" ${quotedList(argv.slice(1))}`
  return `${findScript(program)}
set -- ${words}
${runAs === undefined || runAs.uid === 0 ? '' : accountScript(runAs)}
late=
trap 'late=1' TERM
( trap 'kill -9 $k 2>/dev/null;exit' USR1; trap 'kill -9 $k 2>/dev/null' USR2; trap '' TERM; sleep ${Math.ceil(timeoutSeconds)} & k=$!; wait $k; kill -TERM 0; sleep 2; kill -KILL 0 ) </dev/null >/dev/null 2>&1 &
w=$!
${signal === undefined ? '' : stopScript}exec 5>&2 2>/dev/null
( exec "$@" </dev/null 2>&5 5>&- )
c=$?
[ "$late" ] && kill -KILL 0
kill -USR1 $w 2>/dev/null
${signal === undefined ? '' : 'kill -9 $r 2>/dev/null\n'}exit $c`
}

/** A line on standard input ends the command as its deadline would; the end of standard input says nothing. */
const stopScript = `exec 6<&0
( IFS= read -r a <&6 && [ "$a" = ${stopWord} ] && kill -USR2 $w ) >/dev/null 2>&1 &
r=$!
exec 6<&-
`

/** Names are looked up in the standard folders, as on the bot's own machine. */
const findScript = (program: string) => `p=${quoted(program)}
case $p in
/*) f=$p;;
*) f=; IFS=:; for d in $PATH; do if [ -f "$d/$p" ] && [ -x "$d/$p" ]; then f=$d/$p; break; fi; done; unset IFS;;
esac
if [ ! -f "$f" ] || [ ! -x "$f" ]; then printf '%s no program\\n' "$m" >&2; exit 127; fi`

/** setpriv (util-linux) and chroot (GNU) take numbers and clear further groups; su takes a name and its own group. */
const accountScript = ({ uid, gid }: Account) => `if [ "$(id -u)" = 0 ]; then
if setpriv --reuid ${uid} --regid ${gid} --clear-groups true 2>/dev/null; then set -- setpriv --reuid ${uid} --regid ${gid} --clear-groups -- "$@"
elif chroot --userspec=${uid}:${gid} --groups= / true 2>/dev/null; then set -- chroot --userspec=${uid}:${gid} --groups= / "$@"
else
u=
while IFS=: read -r a _ b g _; do [ "$b" = ${uid} ] && [ "$g" = ${gid} ] && { u=$a; break; }; done </etc/passwd
if [ "$u" ] && command -v su >/dev/null; then set -- su -s /bin/sh -c 'exec "$0" "$@"' -- "$u" "$@"
else printf '%s other account\\n' "$m" >&2; exit 126; fi
fi
elif [ "$(id -u)" != ${uid} ]; then printf '%s other account\\n' "$m" >&2; exit 126; fi`
