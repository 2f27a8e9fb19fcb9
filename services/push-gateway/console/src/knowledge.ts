// The knowledge base in four figures: facts, revision, relay lag, and facts that arrive now.

import { byId, setText } from './dom.ts';
import { count, plural, quantity, UNKNOWN } from './format.ts';
import { RateWindow } from './recent.ts';
import { Sparkline } from './sparkline.ts';
import type { KnowledgeBaseState } from './wire.ts';

const WINDOW_S = 60;
const MEAN_S = 5;

export class KnowledgePanel {
  readonly #facts = byId('kb-facts', HTMLElement);
  readonly #revision = byId('kb-revision', HTMLElement);
  readonly #epoch = byId('kb-epoch', HTMLElement);
  readonly #lag = byId('kb-lag', HTMLElement);
  readonly #lagNote = byId('kb-lag-note', HTMLElement);
  readonly #rate = byId('kb-rate', HTMLElement);
  readonly #arrivals = new RateWindow(WINDOW_S + 1);
  readonly #sparkline = new Sparkline();

  constructor() {
    byId('kb-rate-chart', HTMLElement).append(this.#sparkline.element);
  }

  /** Undefined: the knowledge base's state has ended. */
  set(state: KnowledgeBaseState | undefined): void {
    setText(this.#facts, count(state?.fact_count));
    setText(this.#revision, count(state?.revision));
    setText(this.#epoch, `epoch ${state?.epoch ?? UNKNOWN}`);
    this.#epoch.title = state?.epoch ?? '';
    setText(this.#lag, state === undefined ? UNKNOWN : plural(state.relay_lag_changes, 'change'));
    setText(this.#lagNote, lagNote(state));
    this.#lag.classList.toggle('is-attention', (state?.relay_lag_seconds ?? 0) >= 5);
  }

  arrived(facts: number, nowMs: number): void {
    this.#arrivals.add(facts, nowMs);
  }

  tick(nowMs: number): void {
    const mean = this.#arrivals.mean(MEAN_S, nowMs);
    setText(this.#rate, mean === 0 ? '0 /s' : quantity(mean, '/s'));
    this.#sparkline.set(this.#arrivals.series(nowMs));
  }
}

function lagNote(state: KnowledgeBaseState | undefined): string {
  if (state === undefined) return 'no word from the knowledge base';
  if (state.relay_lag_changes === 0) return 'all in the stream';
  return state.relay_lag_seconds === undefined
    ? 'not yet in the stream'
    : `oldest waits for ${quantity(state.relay_lag_seconds, 's')}`;
}
