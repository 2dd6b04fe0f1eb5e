/** What is taken for a code: bytes, or hexadecimal text with or without a leading `\x` or `0x`. */
export type Code = Uint8Array | string

/** The bytes of a code. */
export function toBuffer(code: Code): Buffer

/** The text form of a code, `\xff80…`. */
export function toText(code: Code): string
