// The governor: what it does and waits for, its decisions with the input that made each, and its controls.

import { type Api, ApiError } from './api.ts';
import { byId, h, oncePerFrame, setText } from './dom.ts';
import { clockTime, plural, UNKNOWN, words } from './format.ts';
import type { Decision, GovernorState } from './wire.ts';

const DECISIONS_MAX = 50;

export class GovernorPanel {
  readonly #api: Api;
  readonly #section = byId('governor', HTMLElement);
  readonly #status = byId('governor-status', HTMLElement);
  readonly #summary = byId('governor-summary', HTMLElement);
  readonly #engines = byId('governor-engines', HTMLElement);
  readonly #made = byId('governor-made', HTMLElement);
  readonly #start = byId('governor-start', HTMLButtonElement);
  readonly #stop = byId('governor-stop', HTMLButtonElement);
  readonly #modes = [...byId('governor-modes', HTMLElement).querySelectorAll('button')];
  readonly #error = byId('governor-error', HTMLElement);
  readonly #list = byId('decisions', HTMLOListElement);
  readonly #noDecision = byId('decisions-empty', HTMLElement);
  /** By id, oldest first: the state's last decision and the event of the same decision are one. */
  readonly #decisions = new Map<string, Decision>();
  readonly #drawDecisions = oncePerFrame(() => this.#showDecisions());
  #state: GovernorState | undefined;
  #busy = false;

  constructor(api: Api) {
    this.#api = api;
    this.#start.addEventListener('click', () => void this.#control({ action: 'start' }));
    this.#stop.addEventListener('click', () => void this.#control({ action: 'stop' }));
    for (const button of this.#modes) {
      button.addEventListener('click', () => void this.#control({ action: 'set_mode', mode: button.value }));
    }
    this.set(undefined);
  }

  /** Undefined: the governor's state has ended. */
  set(state: GovernorState | undefined): void {
    this.#state = state;
    this.#section.dataset['running'] = state === undefined ? 'unknown' : String(state.running);
    this.#section.dataset['mode'] = state?.mode ?? 'unknown';
    setText(this.#status, statusText(state));
    setText(this.#summary, state === undefined ? 'no word from the governor' : state.summary);
    this.#showEngines(state?.engines);
    setText(this.#made, state === undefined ? '' : `${plural(state.decisions_made, 'decision')} since it started`);
    this.#showControls();
    if (state?.last_decision !== undefined) this.addDecision(state.last_decision);
  }

  addDecision(decision: Decision): void {
    if (this.#decisions.has(decision.id)) return;
    this.#decisions.set(decision.id, decision);
    if (this.#decisions.size > DECISIONS_MAX) {
      const [oldest] = this.#decisions.keys();
      if (oldest !== undefined) this.#decisions.delete(oldest);
    }
    this.#drawDecisions();
  }

  #showEngines(engines: string[] | undefined): void {
    if (engines === undefined || engines.length === 0) {
      setText(this.#engines, engines === undefined ? UNKNOWN : 'no engine configured, nothing to start');
      return;
    }
    if (this.#engines.textContent === engines.join('')) return;
    this.#engines.replaceChildren(...engines.map((engine) => h('span', { class: 'tag' }, engine)));
  }

  /** The buttons follow what the governor says of itself, not what was asked of it. */
  #showControls(): void {
    const { running, mode } = this.#state ?? {};
    this.#start.disabled = this.#busy || running === true;
    this.#stop.disabled = this.#busy || running === false;
    for (const button of this.#modes) {
      button.disabled = this.#busy;
      button.setAttribute('aria-pressed', String(button.value === mode));
    }
  }

  async #control(body: { action: string; mode?: string }): Promise<void> {
    this.#busy = true;
    this.#showControls();
    this.#error.replaceChildren();
    try {
      await this.#api.postToGovernor('/api/governor/control', body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#error.replaceChildren(h('code', {}, error.code), ` ${error.message}`);
    } finally {
      this.#busy = false;
      this.#showControls();
    }
  }

  #showDecisions(): void {
    const newestFirst = [...this.#decisions.values()].reverse();
    this.#list.replaceChildren(...newestFirst.map(decisionRow));
    this.#noDecision.hidden = newestFirst.length > 0;
  }
}

function statusText(state: GovernorState | undefined): string {
  if (state === undefined) return UNKNOWN;
  return `${state.running ? 'running' : 'stopped'} · ${words(state.mode)}`;
}

function decisionRow(decision: Decision): HTMLLIElement {
  const what = [words(decision.action), decision.engine].filter((part) => part !== undefined && part !== '').join(' ');
  const head = h(
    'div',
    { class: 'decision-head' },
    h('strong', {}, what),
    h('span', { class: 'tag' }, words(decision.mode)),
    h('time', { datetime: decision.timestamp, title: `${decision.id}, ${decision.timestamp}` }, clockTime(decision.timestamp)),
  );
  const row = h('li', { class: 'decision' }, head);
  const { input } = decision;
  if (input !== undefined) {
    row.append(
      h(
        'p',
        { class: 'decision-input' },
        'because ',
        h('code', {}, input.name),
        ` was ${input.value} `,
        h('span', { class: 'quiet' }, `at ${clockTime(input.observed_at)}`),
      ),
    );
  }
  if (decision.reasoning.length > 0) {
    row.append(h('ul', { class: 'reasons' }, ...decision.reasoning.map((reason) => h('li', {}, reason))));
  }
  return row;
}
