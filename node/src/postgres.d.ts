import type { Sql } from 'postgres'

/**
 * Makes postgres.js return codes, and arrays of codes, as `Buffer`. Call it once, before the first query that returns
 * codes. Parameters are `Buffer`, `Uint8Array` or text, with or without this.
 */
export function register(sql: Sql<any>): Promise<void>
