// "Add a fact": one request, its revision, or the error with a caret under its place.

import { type Api, ApiError } from './api.ts';
import { byId, h, setText } from './dom.ts';
import { count } from './format.ts';
import { errorPlace, type Place } from './place.ts';
import type { FactCreated } from './wire.ts';

/** Characters shown before the place of an error; a long statement is cut on the left. */
const CONTEXT_CHARACTERS = 40;

export class FactForm {
  readonly #api: Api;
  readonly #input = byId('fact-input', HTMLInputElement);
  readonly #button = byId('fact-submit', HTMLButtonElement);
  readonly #result = byId('fact-result', HTMLElement);

  constructor(api: Api) {
    this.#api = api;
    byId('fact-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.#button.disabled) void this.#submit(this.#input.value);
    });
    this.#input.addEventListener('input', () => this.#input.removeAttribute('aria-invalid'));
  }

  async #submit(statement: string): Promise<void> {
    this.#button.disabled = true;
    const startedMs = performance.now();
    try {
      // As typed: a trimmed text would shift the position in an error.
      const fact = (await this.#api.postToKnowledgeBase('/api/facts', { statement })) as unknown as FactCreated;
      this.#added(fact, performance.now() - startedMs);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refused(statement, error);
    } finally {
      this.#button.disabled = false;
    }
  }

  #added(fact: FactCreated, tookMs: number): void {
    this.#input.value = '';
    this.#input.removeAttribute('aria-invalid');
    this.#result.className = 'result is-good';
    this.#result.replaceChildren(
      h(
        'p',
        {},
        'Added as fact ',
        h('strong', {}, count(fact.id)),
        ' at revision ',
        h('strong', {}, count(fact.revision)),
        ` in ${tookMs.toFixed(0)} ms.`,
      ),
    );
    this.#input.focus();
  }

  #refused(statement: string, error: ApiError): void {
    const place = errorPlace(statement, error.details);
    this.#result.className = 'result is-bad';
    this.#result.replaceChildren(h('p', {}, h('code', {}, error.code), ` ${error.message}`));
    if (place !== undefined) {
      this.#result.append(caretLine(place));
      this.#input.setSelectionRange(place.before.length, place.before.length + place.at.length);
    }
    if (error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 403) {
      this.#input.setAttribute('aria-invalid', 'true');
    }
    this.#input.focus();
  }
}

/** The statement with a caret under one character; the message above names the column to a screen reader. */
function caretLine(place: Place): HTMLElement {
  const characters = Array.from(place.before);
  const cut = characters.length > CONTEXT_CHARACTERS;
  const before = cut ? `…${characters.slice(-CONTEXT_CHARACTERS).join('')}` : place.before;
  const mark = h('span', { class: 'caret' });
  // A space of its own width where the text ends too soon.
  setText(mark, place.at === '' ? '\u00a0' : place.at);
  return h('pre', { class: 'caret-line', 'aria-hidden': 'true' }, before, mark, place.after);
}
