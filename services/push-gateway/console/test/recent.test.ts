// Memory is bounded, rates are of whole seconds, and a wrong clock does not spoil an age.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../src/backoff.ts';
import { RateWindow, Recent, ServerClock } from '../src/recent.ts';

test('a flood leaves the newest items and the count of all', () => {
  const recent = new Recent<number>(3);
  for (let item = 0; item < 1000; item += 1) recent.push(item);
  assert.equal(recent.pushed, 1000);
  assert.deepEqual(recent.drain(), [997, 998, 999]);
  assert.equal(recent.pushed, 0);
  assert.deepEqual(recent.drain(), []);
});

test('a rate is of complete seconds and falls to 0 in silence', () => {
  const rate = new RateWindow(6);
  rate.add(10, 1_000);
  rate.add(20, 1_999);
  assert.equal(rate.mean(5, 1_999), 0, 'the second that runs is left out');
  assert.deepEqual(rate.series(2_000), [0, 0, 0, 0, 30]);
  assert.equal(rate.mean(5, 2_000), 6);
  assert.equal(rate.mean(5, 60_000), 0);
});

test('an age is right on a computer whose clock is wrong, also after a replay', () => {
  const clock = new ServerClock();
  const at = Date.parse('2026-01-01T00:00:00Z');
  const wrongMs = 90_000;
  clock.observe('2025-12-31T23:59:00Z', at + wrongMs); // replayed, a minute old
  clock.observe('2026-01-01T00:00:00Z', at + wrongMs + 20); // live
  assert.equal(clock.ageMs('2026-01-01T00:00:00Z', at + wrongMs + 4_020), 4_000);
  assert.equal(clock.ageMs('not a time', at), undefined);
});

test('waiting grows to half a minute and no two pages need wait alike', () => {
  assert.equal(backoffMs(0, 0), 1_000);
  assert.equal(backoffMs(3, 0), 8_000);
  assert.equal(backoffMs(50, 0), 30_000);
  assert.equal(backoffMs(50, 0.5), 22_500);
});
