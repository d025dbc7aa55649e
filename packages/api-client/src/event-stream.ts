/**
 * Takes a text/event-stream in pieces and gives the data of each event (HTML standard, 9.2.6 "Interpreting an event
 * stream"). Only "data" matters here; comments, ids, names and retry times are passed over.
 */
export function createEventParser(onData: (data: string) => void): (chunk: string) => void {
  let rest = ''
  let data: string[] = []
  return (chunk) => {
    // A lone CR at the end may be the first half of CR LF: it waits for the next piece.
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) onData(data.join('\n'))
        data = []
      } else if (line === 'data' || line.startsWith('data:')) {
        data.push(line.slice(5).replace(/^ /, ''))
      }
    }
  }
}
