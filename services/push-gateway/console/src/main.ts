// The console: one stream in, panels out.

import { Api, ApiError, streamRefusal } from './api.ts';
import { backoffMs } from './backoff.ts';
import { ConnectionPanel } from './connection.ts';
import { byId, setText } from './dom.ts';
import { FactFeed } from './facts.ts';
import { FactForm } from './fact-form.ts';
import { GovernorPanel } from './governor.ts';
import { HostPanel } from './host.ts';
import { KnowledgePanel } from './knowledge.ts';
import { PodsPanel } from './pods.ts';
import { ServerClock } from './recent.ts';
import { Session } from './session.ts';
import { SignInPanel } from './sign-in.ts';
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
const connection = new ConnectionPanel(retryNow);
new FactForm(api);
const session = new Session(api, (state) => {
  signIn.show(state);
  connection.setSignedOut(state.kind === 'signed_out');
  if (state.kind === 'signed_out') stream.stop();
  else stream.start();
  tick();
});
const signIn = new SignInPanel(session);

const stream = new LiveStream(() => session.streamUrl(STREAM_URL), {
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
  },
  gap(gap): void {
    connection.addGap(gap, Date.now());
    if (gap.topic.startsWith('kb.')) feed.addGap(gap);
  },
  upstream: ({ connected }) => connection.setUpstream(connected),
  snapshotEnd: (end) => states.endSnapshot(end),
  expired: () => session.renew(),
  status(status): void {
    connection.setStatus(status);
    if (status.kind === 'waiting') void explainRefusal();
    tick();
  },
});

function tick(): void {
  const nowMs = Date.now();
  connection.tick(stream.heardAtMs, nowMs);
  signIn.tick(nowMs);
  knowledge.tick(nowMs);
  host.tick(nowMs);
  pods.tick(nowMs);
  feed.announce(nowMs);
}

async function explainRefusal(): Promise<void> {
  const refusal = await streamRefusal(session.streamUrl(STREAM_URL));
  if (refusal?.status === 401) {
    // The gateway is another one, or the key was revoked: the ticket says more than the stream does.
    await session.begin(true);
    return;
  }
  connection.setRefusal(refusal === undefined ? '' : `${refusal.code}, ${refusal.message}`);
  tick();
}

let beginning: number | undefined;

function retryNow(): void {
  if (stream.isStarted) return stream.retryNow();
  clearTimeout(beginning);
  void begin();
}

/** Learns what is asked here, and begins; asked again until the gateway answers. */
async function begin(attempt = 0): Promise<void> {
  const text = byId('profile', HTMLElement);
  try {
    const profile = await api.loadProfile();
    setText(text, `Profile ${profile.profile}`);
    const key = profile.sign_in ? '-H "Authorization: Bearer $KEY" ' : '';
    setText(byId('curl', HTMLElement), `curl -N ${key}${location.origin}/api/events/stream`);
    await session.begin(profile.sign_in);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setText(text, `Profile unknown (${error.code})`);
    connection.setRefusal(error.message);
    const delayMs = backoffMs(attempt, Math.random());
    connection.setStatus({ kind: 'waiting', retryAtMs: Date.now() + delayMs });
    tick();
    beginning = setTimeout(() => void begin(attempt + 1), delayMs);
  }
}

// A computer that wakes or finds its network again need not wait for the timer.
addEventListener('online', () => stream.retryNow());
setInterval(tick, TICK_MS);
tick();
void begin();
