import type { Duplex } from 'node:stream'
import type { Account, HostFacts, Ownership } from '@certloop/contract'

/**
 * The machine a target lives on, as a driver sees it. Makers: local (in the bot) and SSH, later WinRM.
 * Nothing here goes through a shell. All paths are absolute. Calls that write take real paths: a link among the folders
 * is refused with FILE_UNWRITABLE, since whoever can change it could lead the write elsewhere.
 */
export interface Host {
  readonly kind: 'local' | 'ssh' | 'sftp' | 'ftp' | 'winrm'
  facts(): Promise<HostFacts>

  /**
   * Runs a program: argv without shell, closed standard input, own process group, killed at the deadline.
   * An exit code other than 0 is a result, not an error.
   * @throws the reason of options.signal, once its process group has ended
   * @throws CertloopError COMMAND_NOT_ALLOWED (limits of bot.toml), COMMAND_TIMEOUT, COMMAND_FAILED when it can't be started
   */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>

  /** The whole file, or undefined when there is none. @throws CertloopError FILE_UNWRITABLE for other reasons, naming the path */
  readFile(path: string, limitBytes?: number): Promise<Uint8Array | undefined>
  /** Facts of what is there, links not followed; undefined when nothing is. */
  stat(path: string): Promise<FileFacts | undefined>
  /** The file at the end of all links, also when that last one is not there yet; undefined when a link goes round or its folder is missing. */
  realPath(path: string): Promise<string | undefined>
  /** Names in a folder, sorted; empty when there is no folder. */
  list(path: string): Promise<string[]>

  /**
   * First half of replacing a file: writes the new content beside it under `stagePath`, on disk (fsync), with the owner
   * and mode of `ownership`, or where that is null those of the present file. The security context is the one that
   * `ownership` names, else that of the present file.
   * @throws CertloopError DISK_FULL, FILE_UNWRITABLE, PATH_NOT_ALLOWED. Leaves no partial file.
   */
  stageFile(path: string, stagePath: string, content: Uint8Array, ownership: Ownership | null): Promise<void>
  /** A second name for a file (hard link; a copy with the same facts where links can't be had). Replaces what is at `to`. */
  linkFile(from: string, to: string): Promise<void>
  /** Atomic rename within a folder, then fsync of the folder. @throws CertloopError FILE_UNWRITABLE */
  renameFile(from: string, to: string): Promise<void>
  /** No error when there is none. */
  removeFile(path: string): Promise<void>
  makeDirectory(path: string, ownership: Ownership): Promise<void>
  /** Only when empty; no error when there is none. */
  removeDirectory(path: string): Promise<void>

  /**
   * Puts a program of the engine's own into a folder of its own, both of mode 0700 and of the account that runs commands.
   * `name` (letters, digits, hyphens) names the folder: one that a crash left is used again, one that somebody else made
   * is refused with FILE_UNWRITABLE. limits.scripts decides here, limits.write_paths does not.
   * @returns the path of the file
   */
  placeScript(name: string, content: Uint8Array): Promise<string>
  /** Removes it with its folder. No error when there is none. */
  removeScript(name: string): Promise<void>

  /**
   * A connection as a program on that machine would make it: 127.0.0.1 is the machine's own.
   * The stream is open when it is given; who asked for it destroys it.
   * @throws CertloopError HOST_UNREACHABLE when nothing answers within the time, with the reason
   */
  connect(to: SocketPlace, timeoutMs?: number): Promise<Duplex>

  processes(): Promise<HostProcess[]>
  /** Listening TCP sockets. */
  listeners(): Promise<HostListener[]>
}

/** A TCP port or a Unix socket. */
export type SocketPlace = { address: string; port: number } | { path: string }

export interface RunOptions {
  /** Default 60. */
  timeoutSeconds?: number
  /** For each of the two streams; what comes after is dropped. Default 1 MiB. */
  outputLimitBytes?: number
  environment?: Record<string, string>
  /** Ends it early, with its whole process group. */
  signal?: AbortSignal | undefined
  /** A script that came with a plan: refused where limits.scripts of bot.toml is off. */
  script?: boolean
  /**
   * The account of a service whose program or configuration is loaded. uid 0: as the bot itself. The host gives up its
   * rights for the call; where it can't, it refuses with COMMAND_NOT_ALLOWED.
   */
  runAs?: Account | undefined
}
/** exitCode is 128 + the signal's number when a signal ended it. truncated: the output limit was reached. */
export interface RunResult { exitCode: number; stdout: string; stderr: string; truncated: boolean; durationMs: number }
export interface FileFacts extends Ownership { type: 'file' | 'directory' | 'link' | 'other'; size: number; linkTarget: string | null }
export interface HostProcess {
  pid: number
  parentPid: number
  uid: number
  gid: number
  user: string
  /** Path of the program; " (deleted)" removed after an upgrade. Empty when it can't be read. */
  executable: string
  /** Short name (comm). */
  name: string
  argv: string[]
  workingDirectory: string
  /** systemd unit such as nginx.service, from the control group. */
  service: string | null
  /** Container id when the process lives in another mount namespace. */
  container: string | null
}
export interface HostListener { address: string; port: number; pid: number | null; inode: string }
