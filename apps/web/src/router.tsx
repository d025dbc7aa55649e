import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Navigate } from '@tanstack/react-router'
import { certificateStatuses, deploymentStates, issuedStatuses, managements, orderStates } from '@certloop/api-client'
import { Failed, NotFound } from './shell/not-found.tsx'
import { Root } from './shell/root.tsx'

/** Values of the address bar are anybody's to write: what does not fit is left out. */
const oneOf = <const T extends readonly string[]>(values: T, given: unknown): T[number] | undefined => values.find((value) => value === given)
const textOf = (given: unknown): string | undefined => (typeof given === 'string' && given !== '' ? given.slice(0, 200) : undefined)
const present = <T extends Record<string, unknown>>(search: T) => Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }

const root = createRootRoute({ component: Root, notFoundComponent: NotFound, errorComponent: Failed })

const home = createRoute({ getParentRoute: () => root, path: '/', component: () => <Navigate to="/certificates" replace /> })

export const certificateSorts = ['name', 'notAfter', '-notAfter', '-createdAt'] as const
const certificates = createRoute({
  getParentRoute: () => root,
  path: '/certificates',
  validateSearch: (given: Record<string, unknown>) => present({
    search: textOf(given.search), status: oneOf(certificateStatuses, given.status), management: oneOf(managements, given.management), sort: oneOf(certificateSorts, given.sort),
  }),
  component: lazyRouteComponent(() => import('./certificate/certificates-page.tsx'), 'CertificatesPage'),
})
const certificate = createRoute({
  getParentRoute: () => root,
  path: '/certificates/$id',
  validateSearch: (given: Record<string, unknown>) => present({ tab: oneOf(['overview', 'configuration', 'timeline'] as const, given.tab), bot: textOf(given.bot) }),
  component: lazyRouteComponent(() => import('./certificate/certificate-page.tsx'), 'CertificatePage'),
})

const orders = createRoute({
  getParentRoute: () => root,
  path: '/orders',
  validateSearch: (given: Record<string, unknown>) => present({ search: textOf(given.search), state: oneOf(orderStates, given.state) }),
  component: lazyRouteComponent(() => import('./order/orders-page.tsx'), 'OrdersPage'),
})
const order = createRoute({ getParentRoute: () => root, path: '/orders/$id', component: lazyRouteComponent(() => import('./order/order-page.tsx'), 'OrderPage') })

const deployments = createRoute({
  getParentRoute: () => root,
  path: '/deployments',
  validateSearch: (given: Record<string, unknown>) => present({ search: textOf(given.search), state: oneOf(deploymentStates, given.state) }),
  component: lazyRouteComponent(() => import('./deployment/deployments-page.tsx'), 'DeploymentsPage'),
})
const deployment = createRoute({ getParentRoute: () => root, path: '/deployments/$id', component: lazyRouteComponent(() => import('./deployment/deployment-page.tsx'), 'DeploymentPage') })

const bots = createRoute({ getParentRoute: () => root, path: '/bots', component: lazyRouteComponent(() => import('./bot/bots-page.tsx'), 'BotsPage') })
const bot = createRoute({ getParentRoute: () => root, path: '/bots/$id', component: lazyRouteComponent(() => import('./bot/bot-page.tsx'), 'BotPage') })
const ca = createRoute({ getParentRoute: () => root, path: '/built-in-ca', component: lazyRouteComponent(() => import('./ca/issuers-page.tsx'), 'IssuersPage') })
const caIssuer = createRoute({ getParentRoute: () => root, path: '/built-in-ca/issuers/$id', component: lazyRouteComponent(() => import('./ca/issuer-page.tsx'), 'IssuerPage') })
export const makings = ['root', 'intermediate', 'outside'] as const
const caMake = createRoute({
  getParentRoute: () => root,
  path: '/built-in-ca/make',
  validateSearch: (given: Record<string, unknown>) => present({ what: oneOf(makings, given.what), under: textOf(given.under) }),
  component: lazyRouteComponent(() => import('./ca/make-issuer-page.tsx'), 'MakeIssuerPage'),
})
const caImport = createRoute({ getParentRoute: () => root, path: '/built-in-ca/import', component: lazyRouteComponent(() => import('./ca/import-issuer-page.tsx'), 'ImportIssuerPage') })
const caIssued = createRoute({
  getParentRoute: () => root,
  path: '/built-in-ca/certificates',
  validateSearch: (given: Record<string, unknown>) => present({ search: textOf(given.search), status: oneOf([...issuedStatuses, 'expired'] as const, given.status), issuerId: textOf(given.issuerId) }),
  component: lazyRouteComponent(() => import('./ca/issued-page.tsx'), 'IssuedPage'),
})
const caIssuedOne = createRoute({ getParentRoute: () => root, path: '/built-in-ca/certificates/$id', component: lazyRouteComponent(() => import('./ca/issued-certificate-page.tsx'), 'IssuedCertificatePage') })
const caIssue = createRoute({
  getParentRoute: () => root,
  path: '/built-in-ca/issue',
  validateSearch: (given: Record<string, unknown>) => present({ profile: textOf(given.profile), issuerId: textOf(given.issuerId) }),
  component: lazyRouteComponent(() => import('./ca/issue-page.tsx'), 'IssuePage'),
})
const caProfiles = createRoute({ getParentRoute: () => root, path: '/built-in-ca/profiles', component: lazyRouteComponent(() => import('./ca/profiles-page.tsx'), 'ProfilesPage') })
const caProfile = createRoute({
  getParentRoute: () => root,
  path: '/built-in-ca/profiles/$name',
  validateSearch: (given: Record<string, unknown>) => present({ view: oneOf(['change', 'copy'] as const, given.view) }),
  component: lazyRouteComponent(() => import('./ca/profile-page.tsx'), 'ProfilePage'),
})
const viewed = (given: Record<string, unknown>) => present({ view: oneOf(['change'] as const, given.view) })
const authorities = createRoute({ getParentRoute: () => root, path: '/authorities', component: lazyRouteComponent(() => import('./authority/authorities-page.tsx'), 'AuthoritiesPage') })
const authorityAdd = createRoute({ getParentRoute: () => root, path: '/authorities/add', component: lazyRouteComponent(() => import('./authority/add-authority-page.tsx'), 'AddAuthorityPage') })
const authority = createRoute({ getParentRoute: () => root, path: '/authorities/$id', validateSearch: viewed, component: lazyRouteComponent(() => import('./authority/authority-page.tsx'), 'AuthorityPage') })
const dnsProviders = createRoute({ getParentRoute: () => root, path: '/dns-providers', component: lazyRouteComponent(() => import('./dns-provider/dns-providers-page.tsx'), 'DnsProvidersPage') })
const dnsProviderAdd = createRoute({ getParentRoute: () => root, path: '/dns-providers/add', component: lazyRouteComponent(() => import('./dns-provider/dns-provider-page.tsx'), 'AddDnsProviderPage') })
const dnsProvider = createRoute({ getParentRoute: () => root, path: '/dns-providers/$id', validateSearch: viewed, component: lazyRouteComponent(() => import('./dns-provider/dns-provider-page.tsx'), 'DnsProviderPage') })
const tokens = createRoute({ getParentRoute: () => root, path: '/tokens', component: lazyRouteComponent(() => import('./user/tokens-page.tsx'), 'TokensPage') })

export const router = createRouter({
  routeTree: root.addChildren([home, certificates, certificate, orders, order, deployments, deployment, bots, bot, ca, caIssuer, caMake, caImport, caIssued, caIssuedOne, caIssue, caProfiles, caProfile, authorities, authorityAdd, authority, dnsProviders, dnsProviderAdd, dnsProvider, tokens]),
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register { router: typeof router }
}
