// What a key or token says of its end, and when a ticket is renewed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewAfterMs, tokenEndMs } from '../src/credential.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token says when it ends, a key says nothing', () => {
  assert.equal(tokenEndMs(`${part({ alg: 'HS256' })}.${part({ sub: 'ÿ>?', exp: 4_102_444_800 })}.c2ln`), 4_102_444_800_000);
  for (const text of ['', 'the-key', 'a.b', 'a.b.c.d', `${part({})}.${part({ exp: 'soon' })}.x`, 'not.base64!.x']) {
    assert.equal(tokenEndMs(text), undefined, text);
  }
});

test('a ticket is renewed well before its end, and a timer is never asked for more than it can count', () => {
  assert.equal(renewAfterMs(3_600), 2_700_000);
  assert.equal(renewAfterMs(0), 1_000);
  assert.equal(renewAfterMs(10 ** 9), 2 ** 31 - 1);
});
