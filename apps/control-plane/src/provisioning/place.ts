import { CertloopError, canonicalJson, machineOf, secretFields, sha256Hex, type DetectedServer, type FieldNotes, type Reach } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { Errors } from 'typebox/value'

/** @throws CertloopError INPUT_INVALID naming the field when the server type is not known */
export function manifestOf(serverType: string, field = 'serverType'): ServerTypeManifest {
  const entry = serverTypes.find(serverType)
  if (!entry) throw new CertloopError('INPUT_INVALID', `There is no server type "${serverType}".`, { fields: [`${field}: unknown server type`] })
  return entry.manifest
}

/** What names a place as a bot sees it: equal for equal places on equal machines, whatever other fields say. */
export function placeKeyOf(manifest: ServerTypeManifest, fields: Record<string, unknown>, reach: Reach = 'local'): string {
  const place = manifest.identity.map((name) => fields[name] ?? null)
  return sha256Hex(canonicalJson(reach === 'local' ? place : [machineOf({ reach }), place]))
}

/** "nginx: /etc/ssl/shop.pem", "nginx: /etc/ssl/shop.pem on db1.example" */
export function placeTitle(manifest: ServerTypeManifest, fields: Record<string, unknown>, reach: Reach = 'local'): string {
  const path = Object.entries(fields).find(([name, value]) => name.startsWith('certificate') && typeof value === 'string')?.[1]
  return `${manifest.title}${typeof path === 'string' ? `: ${path}` : ''}${reach === 'local' ? '' : ` on ${reach.host}`}`
}

type FieldError = ReturnType<typeof Errors>[number]

/** The part of a manifest that has to do with its fields, of whatever kind of plug-in. */
type WithFields = Pick<ServerTypeManifest, 'fields'> & { check?: ((fields: Record<string, unknown>) => { field: string; problem: string }[]) | undefined }

const kindOf = (manifest: WithFields, name: string) => (manifest.fields.properties as Record<string, { 'x-field'?: FieldNotes } | undefined>)[name]?.['x-field']?.kind

function fieldLines(manifest: WithFields, { keyword, instancePath, message, params, schemaPath }: FieldError, prefix: string): string[] {
  const { requiredProperties, additionalProperties, allowedValues } = params as { requiredProperties?: string[]; additionalProperties?: string[]; allowedValues?: unknown[] }
  if (keyword === 'required') return (requiredProperties ?? []).map((name) => `${prefix}${instancePath}/${name}: is missing`)
  if (keyword === 'additionalProperties') return (additionalProperties ?? []).map((name) => `${prefix}${instancePath}/${name}: there is no such field`)
  if (schemaPath.endsWith('/additionalProperties')) return [] // said once, above
  if (keyword === 'pattern' && kindOf(manifest, instancePath.slice(1)) === 'path') return [`${prefix}${instancePath}: must be an absolute path on the host`]
  if (keyword === 'enum' && allowedValues) return [`${prefix}${instancePath}: must be one of ${allowedValues.join(', ')}`]
  return [`${prefix}${instancePath}: ${message}`]
}

/** Every problem of a target's fields as "name: problem"; empty when they fit. */
export function fieldProblems(manifest: WithFields, fields: Record<string, unknown>, prefix: string): string[] {
  const lines = [...Errors(manifest.fields, fields)].flatMap((e) => fieldLines(manifest, e, prefix))
  if (lines.length > 0) return lines
  return (manifest.check?.(fields) ?? []).map(({ field, problem }) => `${prefix}/${field}: ${problem}`)
}

/** Secret fields are write-only. */
export function withoutSecrets(manifest: ServerTypeManifest, fields: Record<string, unknown>): Record<string, unknown> {
  const secret = new Set(secretFields(manifest.fields))
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !secret.has(name)))
}

/** What a bot says it found, without what is secret: that is for a person to give. */
export function serversWithoutSecrets(servers: readonly DetectedServer[]): DetectedServer[] {
  return servers.map((server) => {
    const manifest = serverTypes.find(server.serverType)?.manifest
    return manifest ? { ...server, slots: server.slots.map((slot) => ({ ...slot, fields: withoutSecrets(manifest, slot.fields) })) } : server
  })
}
