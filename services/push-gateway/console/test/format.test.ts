// What a person reads: units, ages, ids, and "unknown" for what is not known.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, bytes, count, percent, plural, quantity, share, traceId, usedOf } from '../src/format.ts';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

test('what is not known reads unknown and never 0', () => {
  for (const text of [count(undefined), percent(undefined), bytes(undefined), quantity(undefined, 'W'), age(undefined)]) {
    assert.equal(text, 'unknown');
  }
  assert.equal(usedOf(undefined, undefined), 'unknown');
  assert.equal(plain(usedOf(undefined, 1024)), 'unknown of 1.0 KiB');
  assert.equal(share(undefined, 10), undefined);
  assert.equal(share(1, 0), undefined);
  assert.equal(plain(percent(0)), '0 %');
});

test('values carry their unit and no more digits than they deserve', () => {
  assert.equal(plain(bytes(1023)), '1,023 B');
  assert.equal(plain(bytes(3.2 * 1024 ** 3)), '3.2 GiB');
  assert.equal(plain(bytes(16 * 1024 ** 3)), '16 GiB');
  assert.equal(plain(bytes(3 * 1024 ** 5)), '3.0 PiB');
  assert.equal(plain(usedOf(3.2 * 1024 ** 3, 16 * 1024 ** 3)), '3.2 of 16 GiB');
  assert.equal(plain(usedOf(900 * 1024 ** 2, 16 * 1024 ** 3)), '900 MiB of 16 GiB');
  assert.equal(plain(percent(4.26)), '4.3 %');
  assert.equal(plain(percent(99.6)), '100 %');
  assert.equal(count(560_733), '560,733');
  assert.equal(plural(1, 'fact'), '1 fact');
  assert.equal(plural(1000, 'fact'), '1,000 facts');
});

test('an age has one unit', () => {
  assert.deepEqual([200, 3_400, 150_000, 7_200_000].map((ms) => plain(age(ms))), ['now', '3 s ago', '3 min ago', '2 h ago']);
});

test('a trace id is found in a traceparent and bare, and nowhere else', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  assert.equal(traceId(`00-${id}-00f067aa0ba902b7-01`), id);
  assert.equal(traceId(id), id);
  for (const none of ['', 'nonsense', null, undefined]) assert.equal(traceId(none), undefined);
});
