// The caret stands under the character that the knowledge base names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorPlace } from '../src/place.ts';

test('a position in bytes finds the character, however long it is', () => {
  assert.deepEqual(errorPlace('IsA(a b)', { position: 6 }), { before: 'IsA(a ', at: 'b', after: ')' });
  assert.deepEqual(errorPlace('Isé(𝔸)', { position: 5 }), { before: 'Isé(', at: '𝔸', after: ')' });
});

test('a text that ends too soon has its place behind the last character', () => {
  assert.deepEqual(errorPlace('IsA(', { position: 4 }), { before: 'IsA(', at: '', after: '' });
  assert.deepEqual(errorPlace('IsA(', { position: 99 }), { before: 'IsA(', at: '', after: '' });
});

test('details without a usable position have no place', () => {
  for (const details of [{}, { position: '4' }, { position: -1 }, { position: 1.5 }]) {
    assert.equal(errorPlace('IsA(', details), undefined);
  }
});
