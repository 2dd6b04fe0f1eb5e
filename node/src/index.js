// Codes: what is taken for one, and their text form.

/** @param {import('./index.js').Code} code */
export function toBuffer(code) {
  if (Buffer.isBuffer(code)) return code
  if (code instanceof Uint8Array) return Buffer.from(code.buffer, code.byteOffset, code.byteLength)
  if (typeof code !== 'string') throw new TypeError(`a code is bytes or hexadecimal text, not ${typeof code}`)
  const digits = /^(\\x|0x)/.test(code) ? code.slice(2) : code
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new TypeError(`a code is an even number of hexadecimal digits, not "${code.slice(0, 40)}"`)
  }
  return Buffer.from(digits, 'hex')
}

/** @param {import('./index.js').Code} code */
export function toText(code) {
  return '\\x' + toBuffer(code).toString('hex')
}
