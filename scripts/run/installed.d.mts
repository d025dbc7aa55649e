export interface LockEntry { version?: string; os?: string | string[]; cpu?: string | string[]; libc?: string | string[]; optional?: boolean; link?: boolean }
export interface Lock { packages: Record<string, LockEntry> }
export interface Platform { os: string; cpu: string; libc?: string | undefined }
export declare function thisPlatform(): Platform
export declare function writeStamp(root: string): void
export declare function belongsHere(entry: LockEntry, platform: Platform): boolean
export declare function missingPackages(lock: Lock, installed: Partial<Lock>, platform: Platform): string[]
export declare function isInstalled(root: string): boolean
