import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBuffer, toText } from 'iscc-usearch-pg'

test('forms of a code', () => {
  const bytes = Buffer.from([255, 128])
  for (const form of [bytes, new Uint8Array([0, 255, 128]).subarray(1), '\\xff80', '0xFF80', 'ff80']) {
    assert.deepEqual(toBuffer(form), bytes)
    assert.equal(toText(form), '\\xff80')
  }
})

test('anything else is an error', () => {
  for (const value of [7, null, undefined, [255], 'ff8', 'xyz', 'ff80\n']) {
    assert.throws(() => toBuffer(value), TypeError)
  }
})
