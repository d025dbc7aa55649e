export declare function withLock<T>(root: string, name: string, onWait: () => void, work: () => Promise<T>): Promise<T>
