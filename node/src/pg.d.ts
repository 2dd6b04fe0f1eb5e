import type { ClientBase } from 'pg'

/**
 * Makes a connection return codes, and arrays of codes, as `Buffer`. For a pool, pass it as `onConnect`:
 * `new Pool({ onConnect: register })`. Parameters are `Buffer`, `Uint8Array` or text, with or without this.
 */
export function register(client: ClientBase): Promise<void>
