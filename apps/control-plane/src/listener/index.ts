export { listen, type Listener, type ListenerDeps, type TlsIdentity } from './listener.ts'
