import { attributeNames } from '../oids.ts'

/** How the values of an attribute are written, and how long they may be. */
export interface AttributeRule {
  text: 'utf8' | 'printable' | 'ia5'
  /** Longest value in characters (RFC 5280, A.1; X.520, annex C). */
  max: number
  /** Two letters, ISO 3166-1. */
  country?: true
}

/** For attributes without a bound of their own: ub-name. */
const longest = 32_768

const rules: Record<string, AttributeRule> = {
  'CN': { text: 'utf8', max: 64 }, 'O': { text: 'utf8', max: 64 }, 'OU': { text: 'utf8', max: 64 }, 'title': { text: 'utf8', max: 64 },
  'L': { text: 'utf8', max: 128 }, 'ST': { text: 'utf8', max: 128 }, 'street': { text: 'utf8', max: 128 }, 'postalCode': { text: 'utf8', max: 40 },
  'C': { text: 'printable', max: 2, country: true }, 'serialNumber': { text: 'printable', max: 64 }, 'dnQualifier': { text: 'printable', max: 64 },
  'telephoneNumber': { text: 'printable', max: 32 }, 'businessCategory': { text: 'utf8', max: 128 }, 'description': { text: 'utf8', max: 1024 }, 'pseudonym': { text: 'utf8', max: 128 },
  'jurisdictionL': { text: 'utf8', max: 128 }, 'jurisdictionST': { text: 'utf8', max: 128 }, 'jurisdictionC': { text: 'printable', max: 2, country: true },
  'emailAddress': { text: 'ia5', max: 255 }, 'DC': { text: 'ia5', max: 63 }, 'UID': { text: 'utf8', max: 256 },
  'unstructuredName': { text: 'utf8', max: 255 }, 'unstructuredAddress': { text: 'utf8', max: 255 },
}

/** What other tools and the RFCs call the same attributes. */
const aliases: Record<string, string> = {
  'commonname': 'CN', 'surname': 'SN', 'countryname': 'C', 'country': 'C', 'localityname': 'L', 'locality': 'L', 'stateorprovincename': 'ST', 'state': 'ST', 's': 'ST', 'sp': 'ST',
  'streetaddress': 'street', 'organizationname': 'O', 'organization': 'O', 'organizationalunitname': 'OU', 'organizationalunit': 'OU', 'givenname': 'GN', 'g': 'GN', 't': 'title',
  'email': 'emailAddress', 'e': 'emailAddress', 'userid': 'UID', 'domaincomponent': 'DC', 'jurisdictionlocality': 'jurisdictionL', 'jurisdictionlocalityname': 'jurisdictionL',
  'jurisdictionstateorprovince': 'jurisdictionST', 'jurisdictionstateorprovincename': 'jurisdictionST', 'jurisdictioncountry': 'jurisdictionC', 'jurisdictioncountryname': 'jurisdictionC',
}

const oidByWord = new Map(Object.entries(attributeNames).map(([id, word]) => [word.toLowerCase(), id]))
for (const [alias, word] of Object.entries(aliases)) {
  const id = oidByWord.get(word.toLowerCase())
  if (id !== undefined) oidByWord.set(alias, id)
}

/** Whether a text is an object identifier that can be written: at most 20 arcs of at most 39 digits (128 bits). */
export const isDottedOid = (text: string): boolean =>
  text.length <= 200 && /^(?:[01]\.[1-3]?\d|2\.(?:0|[1-9]\d{0,38}))(?:\.(?:0|[1-9]\d{0,38})){0,18}$/.test(text)

/** The identifier of an attribute by its word in any case ("CN", "commonName"), or "1.2.3" or "OID.1.2.3"; undefined when unknown. */
export function attributeOid(type: string): string | undefined {
  const dotted = type.replace(/^oid\./i, '')
  return isDottedOid(dotted) ? dotted : oidByWord.get(type.toLowerCase())
}

export const attributeRule = (id: string): AttributeRule => rules[attributeNames[id] ?? ''] ?? { text: 'utf8', max: longest }
