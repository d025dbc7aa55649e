export interface LockEntry { version?: string; os?: string | string[]; cpu?: string | string[]; libc?: string[]; optional?: boolean; link?: boolean }
export interface Lock { packages: Record<string, LockEntry> }
export declare function writeStamp(root: string): void
export declare function belongsHere(entry: LockEntry, platform: string, arch: string): boolean
export declare function missingPackages(lock: Lock, installed: Partial<Lock>, platform: string, arch: string): string[]
export declare function isInstalled(root: string): boolean
