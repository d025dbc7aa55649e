/** Where and how a DNS question is asked. */
export interface DnsServer { /** IP address. */ address: string; port: number }
