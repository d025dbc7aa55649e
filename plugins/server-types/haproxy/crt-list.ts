/** A line of a crt-list: the file and the server names it is for. */
export interface CrtListLine { path: string; filters: string[]; excluded: string[] }

/** <crtfile> [\[<options>\]] [[!]<snifilter> …]; a line that begins with "#" is none (configuration manual 5.1, "crt-list"). */
export function parseCrtList(text: string): CrtListLine[] {
  return text.split('\n').flatMap((line) => {
    const [, path, , names = ''] = /^\s*([^\s[#][^\s[]*)\s*(\[[^\]]*\])?(.*)$/.exec(line) ?? []
    if (path === undefined) return []
    const words = names.split(/\s+/).filter((word) => word !== '').map((word) => word.toLowerCase())
    return [{ path, filters: words.filter((word) => !word.startsWith('!')), excluded: words.filter((word) => word.startsWith('!')).map((word) => word.slice(1)) }]
  })
}
