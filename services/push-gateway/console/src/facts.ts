// The live feed of facts: newest on top, bounded, drawn at most once a frame.

import { byId, h, oncePerFrame, setText } from './dom.ts';
import { clockTime, count, plural, traceId } from './format.ts';
import { Recent } from './recent.ts';
import type { FactAdded, FactsImported, Gap, StreamEvent } from './wire.ts';

/** Rows in the list; also what waits while the feed is held or the tab is hidden. */
const ROWS_MAX = 200;
/** A screen reader hears of new facts at most this often. */
const ANNOUNCE_INTERVAL_MS = 10_000;
/** More new rows than this in one frame are a flood, in which a highlight would only flicker. */
const HIGHLIGHT_MAX = 3;

type FactEvent = Extract<StreamEvent, { type: 'fact_added' | 'facts_imported' }>;
type Row = { event: FactEvent } | { gap: Gap };

export class FactFeed {
  readonly #list = byId('facts', HTMLOListElement);
  readonly #empty = byId('facts-empty', HTMLElement);
  readonly #hold = byId('facts-hold', HTMLButtonElement);
  readonly #live = byId('facts-announcement', HTMLElement);
  readonly #pending = new Recent<Row>(ROWS_MAX);
  readonly #draw = oncePerFrame(() => this.#flush());
  #held = false;
  #unannounced = 0;
  #newest = '';
  #announcedAtMs = 0;

  constructor() {
    this.#hold.addEventListener('click', () => {
      this.#held = !this.#held;
      this.#hold.classList.toggle('is-held', this.#held);
      this.#draw();
    });
  }

  add(event: FactEvent): void {
    this.#push({ event });
    this.#unannounced += event.type === 'facts_imported' ? event.data.count : 1;
    this.#newest = title(event.type === 'facts_imported' ? importText(event.data) : event.data.statement);
  }

  /** Shows where facts are missing, in their place. */
  addGap(gap: Gap): void {
    this.#push({ gap });
  }

  /** Tells screen readers what is new; called once a second. */
  announce(nowMs: number): void {
    if (this.#unannounced === 0 || nowMs - this.#announcedAtMs < ANNOUNCE_INTERVAL_MS) return;
    setText(this.#live, `${plural(this.#unannounced, 'new fact')}; the newest: ${this.#newest}`);
    this.#unannounced = 0;
    this.#announcedAtMs = nowMs;
  }

  #push(row: Row): void {
    this.#pending.push(row);
    this.#draw();
  }

  #flush(): void {
    if (this.#held) {
      const waiting = this.#pending.pushed;
      setText(this.#hold, waiting === 0 ? 'Continue' : `Continue (${count(waiting)} new)`);
      return;
    }
    setText(this.#hold, 'Hold');
    const rows = this.#pending.drain();
    if (rows.length === 0) return;
    const elements = rows.reverse().map((row) => ('gap' in row ? gapRow(row.gap) : factRow(row.event)));
    if (elements.length <= HIGHLIGHT_MAX) for (const element of elements) element.classList.add('is-new');
    this.#list.prepend(...elements);
    while (this.#list.childElementCount > ROWS_MAX) this.#list.lastElementChild?.remove();
    this.#empty.hidden = true;
  }
}

function importText(batch: FactsImported): string {
  return `${plural(batch.count, 'fact')} imported (ids ${count(batch.first_id)}–${count(batch.last_id)})`;
}

function title(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function factText(fact: FactAdded): HTMLElement {
  const element = h('span', { class: 'fact-text' }, h('code', {}, fact.statement));
  if (fact.confidence < 1) element.append(' ', h('span', { class: 'tag' }, `confidence ${fact.confidence}`));
  if (fact.context !== '') element.append(' ', h('span', { class: 'tag' }, fact.context));
  return element;
}

function factRow(event: FactEvent): HTMLLIElement {
  const text =
    event.type === 'facts_imported' ? h('span', { class: 'fact-text' }, importText(event.data)) : factText(event.data);
  const meta = h(
    'span',
    { class: 'fact-meta' },
    h('span', { class: 'fact-revision', title: 'Revision' }, `rev ${count(event.data.revision)}`),
    h('time', { datetime: event.time, title: event.time }, clockTime(event.time)),
  );
  const trace = traceId(event.trace);
  // Cut to eight digits by the style sheet: selecting and copying it still gives the whole id.
  if (trace !== undefined) meta.append(h('code', { class: 'fact-trace', title: `Trace ${trace}` }, trace));
  return h('li', { class: event.type === 'facts_imported' ? 'fact is-import' : 'fact' }, text, meta);
}

function gapRow(gap: Gap): HTMLLIElement {
  return h('li', { class: 'fact is-gap' }, h('span', { class: 'fact-text' }, gapText(gap)));
}

const GAP_REASONS: Record<string, string> = {
  reset: 'the stream is another one now',
  bad_token: 'the place to continue from is not known there',
  trimmed: 'the stream no longer keeps them',
  skipped: 'this page was too slow',
};

/** "Events 120 to 180 of kb.facts were missed: the stream no longer keeps them". */
export function gapText(gap: Gap): string {
  const { from, to } = gap;
  const known = typeof from === 'number' && typeof to === 'number';
  const which = !known ? 'Events' : from === to ? `Event ${count(from)}` : `Events ${count(from)} to ${count(to)}`;
  return `${which} of ${gap.topic} ${known && from === to ? 'was' : 'were'} missed: ${GAP_REASONS[gap.reason] ?? gap.reason}`;
}
