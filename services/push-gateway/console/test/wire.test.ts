// Events are read once and defensively; topics match as NATS has it; errors come in their envelope.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorFrom } from '../src/api.ts';
import { parseEvent, topicMatches } from '../src/wire.ts';

test('what is no event is refused and not thrown', () => {
  for (const text of ['', '{', '[]', 'null', '{"topic":"kb.facts"}', '{"topic":1,"type":"x"}']) {
    assert.equal(parseEvent(text), undefined, text);
  }
  assert.equal(parseEvent('{"topic":"kb.facts","type":"fact_added"}')?.type, 'fact_added');
});

test('a pattern names the topics that NATS would', () => {
  assert.ok(topicMatches('state.>', 'state.kb') && topicMatches('state.>', 'state.gpu.n1'));
  assert.ok(topicMatches('state.gpu.*', 'state.gpu.n1') && !topicMatches('state.*', 'state.gpu.n1'));
  assert.ok(topicMatches('kb.facts', 'kb.facts') && !topicMatches('kb.facts.>', 'kb.facts'));
  assert.ok(!topicMatches('kb.facts', 'kb') && !topicMatches('kb', 'kb.facts'));
});

test('an error keeps its code, message and details, and one without an envelope its status', () => {
  const told = errorFrom(422, '{"error":{"code":"unparsable","message":"expected )","details":{"position":7}}}');
  assert.deepEqual([told.status, told.code, told.message, told.details], [422, 'unparsable', 'expected )', { position: 7 }]);
  const bare = errorFrom(502, '<html>');
  assert.deepEqual([bare.code, bare.message, bare.details], ['http_502', 'HTTP status 502', {}]);
});
