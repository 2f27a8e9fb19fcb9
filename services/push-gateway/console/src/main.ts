// The console: one stream in, panels out.

import { Api, ApiError, apiKey, streamRefusal } from './api.ts';
import { ConnectionPanel } from './connection.ts';
import { byId, setText } from './dom.ts';
import { FactFeed } from './facts.ts';
import { FactForm } from './fact-form.ts';
import { GovernorPanel } from './governor.ts';
import { HostPanel } from './host.ts';
import { KnowledgePanel } from './knowledge.ts';
import { PodsPanel } from './pods.ts';
import { ServerClock } from './recent.ts';
import { StatePanels } from './state.ts';
import { LiveStream } from './stream.ts';
import type { StreamEvent } from './wire.ts';

const STREAM_URL = '/api/events/stream?topics=kb.facts,governor.decisions,state.>';
const TICK_MS = 1_000;

const api = new Api();
const clock = new ServerClock();
const feed = new FactFeed();
const knowledge = new KnowledgePanel();
const host = new HostPanel(clock);
const governor = new GovernorPanel(api);
const pods = new PodsPanel(clock);
const states = new StatePanels({ knowledge, host, governor, pods });
const connection = new ConnectionPanel(() => stream.retryNow());
new FactForm(api);

const stream = new LiveStream(STREAM_URL, {
  event(event: StreamEvent): void {
    const nowMs = Date.now();
    clock.observe(event.time, nowMs);
    switch (event.type) {
      case 'fact_added':
      case 'facts_imported':
        knowledge.arrived(event.type === 'facts_imported' ? event.data.count : 1, nowMs);
        feed.add(event);
        break;
      case 'governor_decision':
        governor.addDecision(event.data);
        break;
      default:
        states.apply(event);
    }
  },
  ready(): void {
    clock.reset();
    if (!profileLoaded) void loadProfile();
  },
  gap(gap): void {
    connection.addGap(gap, Date.now());
    if (gap.topic.startsWith('kb.')) feed.addGap(gap);
  },
  upstream: ({ connected }) => connection.setUpstream(connected),
  snapshotEnd: (end) => states.endSnapshot(end),
  status(status): void {
    connection.setStatus(status);
    if (status.kind === 'waiting') void explainRefusal();
    tick();
  },
});

function tick(): void {
  const nowMs = Date.now();
  connection.tick(stream.heardAtMs, nowMs);
  knowledge.tick(nowMs);
  host.tick(nowMs);
  pods.tick(nowMs);
  feed.announce(nowMs);
}

async function explainRefusal(): Promise<void> {
  const refusal = await streamRefusal(STREAM_URL);
  connection.setRefusal(refusal === undefined ? '' : `${refusal.code}, ${refusal.message}`);
  tick();
}

let profileLoaded = false;

async function loadProfile(): Promise<void> {
  try {
    const profile = await api.loadProfile();
    profileLoaded = true;
    setText(byId('profile', HTMLElement), `Profile ${profile.profile}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Asked again when the stream is ready; until then the services are sought at this origin.
    setText(byId('profile', HTMLElement), `Profile unknown (${error.code})`);
  }
}

function bindApiKey(): void {
  const input = byId('api-key', HTMLInputElement);
  const note = byId('api-key-note', HTMLElement);
  const panel = byId('api-key-panel', HTMLDetailsElement);
  const show = (): void => setText(note, apiKey.get() === '' ? 'No key is set.' : 'A key is set for this tab.');
  byId('api-key-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    apiKey.set(input.value.trim());
    input.value = '';
    show();
    if (!profileLoaded) void loadProfile();
  });
  panel.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    panel.open = false;
    panel.querySelector('summary')?.focus();
  });
  show();
}

bindApiKey();
setText(byId('curl', HTMLElement), `curl -N ${location.origin}/api/events/stream`);
void loadProfile();
stream.start();
setInterval(tick, TICK_MS);
tick();
