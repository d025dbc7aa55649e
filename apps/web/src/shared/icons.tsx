import type { ReactNode } from 'react'

/** Line icons, 24 units wide; they say nothing by themselves, so they are hidden from screen readers. */
const icon = (content: ReactNode) => function Icon({ size = 16 }: { size?: number }) {
  return <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">{content}</svg>
}

export const CheckIcon = icon(<path d="m5 12.500 4.500 4.500L19 7.500" />)
export const CopyIcon = icon(<><rect x="9" y="9" width="11" height="11" rx="2" /><path d="M5 15H4V6a2 2 0 0 1 2-2h9v1" /></>)
export const SearchIcon = icon(<><circle cx="11" cy="11" r="6" /><path d="m20 20-4.500-4.500" /></>)
export const CertificateIcon = icon(<><rect x="3" y="4" width="18" height="12" rx="2" /><path d="M7 8.500h10M7 12h4" /><circle cx="16" cy="15" r="2.500" /><path d="m14.500 17-.5 4 2-1.200 2 1.200-.5-4" /></>)
export const OrderIcon = icon(<><path d="M6 3h9l4 4v14H6z" /><path d="M14.500 3v4.500H19M9.500 12h6M9.500 16h4" /></>)
export const DeploymentIcon = icon(<><path d="M12 15V4M7.500 8.500 12 4l4.500 4.500" /><path d="M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4" /></>)
export const BotIcon = icon(<><rect x="4" y="8" width="16" height="11" rx="2" /><path d="M12 8V4M9 13v1M15 13v1" /></>)
export const TokenIcon = icon(<><circle cx="8" cy="15" r="4" /><path d="m11 12 8-8M16 7l2.500 2.500" /></>)
export const CaIcon = icon(<><path d="M12 3 4.500 6v5.500c0 4.500 3 8 7.500 9.500 4.500-1.500 7.500-5 7.500-9.500V6z" /><circle cx="12" cy="10.500" r="2" /><path d="M12 12.500V16" /></>)
export const AuthorityIcon = icon(<><path d="M4 20h16M5 9.500h14L12 4z" /><path d="M7 10v7.500M12 10v7.500M17 10v7.500" /></>)
export const DnsIcon = icon(<><circle cx="12" cy="12" r="8.500" /><path d="M3.500 12h17M12 3.500c2.500 2.500 3.500 5.500 3.500 8.500s-1 6-3.500 8.500c-2.500-2.500-3.500-5.500-3.500-8.500s1-6 3.500-8.500z" /></>)
export const SunIcon = icon(<><circle cx="12" cy="12" r="4" /><path d="M12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600 7 7M17 17l1.400 1.400M5.600 18.400 7 17M17 7l1.400-1.400" /></>)
export const LogoIcon = icon(<><path d="M20.500 12a8.500 8.500 0 1 1-3-6.500" /><path d="M20.500 3v4.500H16" /><path d="m8.500 12 2.700 2.700 4.800-5" /></>)
