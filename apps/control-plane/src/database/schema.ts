/**
 * All tables. Each domain declares its own in its store and is named here once.
 * Both databases: ids, times (UTC ISO 8601 text) and JSON are text, booleans are integers 0 and 1.
 */
// eslint-disable-next-line typescript/no-empty-interface
export interface Schema {}
