// What the page says of its own connection: live or not, since when nothing was heard, and which gaps were told.

import { byId, h, setText } from './dom.ts';
import { clockTime, count } from './format.ts';
import { gapText } from './facts.ts';
import type { ConnectionStatus } from './stream.ts';
import type { Gap } from './wire.ts';

/** Gaps kept on the page; the count goes on. */
const GAPS_SHOWN_MAX = 5;

const LABELS: Record<ConnectionStatus['kind'], string> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  stale: 'Stale',
  waiting: 'Disconnected',
};

export class ConnectionPanel {
  readonly #pill = byId('connection', HTMLElement);
  readonly #label = byId('connection-label', HTMLElement);
  readonly #banner = byId('stale-banner', HTMLElement);
  readonly #bannerText = byId('stale-text', HTMLElement);
  readonly #retry = byId('stale-retry', HTMLButtonElement);
  readonly #gaps = byId('gaps', HTMLElement);
  readonly #gapsTitle = byId('gaps-title', HTMLElement);
  readonly #gapList = byId('gap-list', HTMLUListElement);
  #status: ConnectionStatus = { kind: 'connecting' };
  #refusal = '';
  #signedOut = false;
  #upstream = true;
  #gapCount = 0;

  constructor(retry: () => void) {
    this.#retry.addEventListener('click', retry);
    byId('gaps-dismiss', HTMLButtonElement).addEventListener('click', () => {
      this.#gaps.hidden = true;
      this.#gapList.replaceChildren();
      this.#gapCount = 0;
    });
  }

  setStatus(status: ConnectionStatus): void {
    this.#status = status;
    if (status.kind !== 'live') return;
    this.#refusal = '';
    // Told anew by the gateway where it is so.
    this.#upstream = true;
  }

  /** Whether the gateway hears from NATS. */
  setUpstream(connected: boolean): void {
    this.#upstream = connected;
  }

  /** Nobody is connected before somebody has signed in; the form says the rest. */
  setSignedOut(signedOut: boolean): void {
    this.#signedOut = signedOut;
  }

  /** Why the gateway refuses, in its own words. */
  setRefusal(text: string): void {
    this.#refusal = text;
  }

  addGap(gap: Gap, nowMs: number): void {
    this.#gapCount += 1;
    this.#gapList.prepend(h('li', {}, h('time', {}, clockTime(nowMs)), ` ${gapText(gap)}`));
    while (this.#gapList.childElementCount > GAPS_SHOWN_MAX) this.#gapList.lastElementChild?.remove();
    const gaps = this.#gapCount === 1 ? 'a gap' : `${count(this.#gapCount)} gaps`;
    setText(this.#gapsTitle, `The gateway told of ${gaps}`);
    this.#gaps.hidden = false;
  }

  tick(heardAtMs: number | undefined, nowMs: number): void {
    const { kind } = this.#status;
    const label = this.#signedOut ? 'Signed out' : LABELS[kind];
    this.#pill.dataset['state'] = this.#signedOut ? 'signed_out' : kind;
    setText(this.#label, label);
    this.#pill.title = heardAtMs === undefined ? 'Nothing heard yet' : `Last heard at ${clockTime(heardAtMs)}`;
    document.title = label === LABELS.live ? 'Bywash console' : `${label} · Bywash console`;
    const text = this.#signedOut ? '' : bannerText(this.#status, this.#upstream, this.#refusal, heardAtMs, nowMs);
    this.#banner.hidden = text === '';
    this.#retry.hidden = kind === 'live';
    setText(this.#bannerText, text);
  }
}

/** What the reader must know before trusting the page; empty where all is well. */
function bannerText(
  status: ConnectionStatus,
  upstream: boolean,
  refusal: string,
  heardAtMs: number | undefined,
  nowMs: number,
): string {
  const since =
    heardAtMs === undefined
      ? 'Nothing was heard from the gateway yet.'
      : `Nothing heard from the gateway since ${clockTime(heardAtMs)}; what you see may be old.`;
  switch (status.kind) {
    case 'connecting':
      return '';
    case 'live':
      return upstream ? '' : 'The gateway hears nothing from NATS; events wait there and come later.';
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((status.retryAtMs - nowMs) / 1000));
      const why = refusal === '' ? '' : `The gateway refuses: ${refusal}. `;
      return `${why}${since} Next try ${seconds === 0 ? 'now' : `in ${seconds} s`}.`;
    }
    default:
      return `${since} Reconnecting…`;
  }
}
