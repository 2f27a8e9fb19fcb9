// A labelled bar with its value in words. A value that is not known shows no bar at all.

import { h, setText } from './dom.ts';
import { UNKNOWN } from './format.ts';

/** From here on a bar is drawn in the colour of attention, percent. */
const HIGH_PERCENT = 90;

export class Meter {
  readonly element: HTMLElement;
  readonly #value = h('span', { class: 'meter-value' });
  readonly #track: HTMLElement;
  readonly #bar = h('span', { class: 'meter-bar' });

  constructor(label: string) {
    this.#track = h(
      'span',
      { class: 'meter-track', role: 'meter', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100' },
      this.#bar,
    );
    this.element = h('div', { class: 'meter' }, h('span', { class: 'meter-label' }, label), this.#value, this.#track);
  }

  /** Shows `percent` (0 to 100) as the bar and `text` beside the label. */
  set(percent: number | undefined, text: string): void {
    setText(this.#value, text);
    this.element.classList.toggle('is-unknown', percent === undefined);
    this.element.classList.toggle('is-high', percent !== undefined && percent >= HIGH_PERCENT);
    const shown = Math.min(100, Math.max(0, percent ?? 0));
    // Through the CSSOM, which a policy without 'unsafe-inline' allows.
    this.#bar.style.setProperty('--share', (shown / 100).toFixed(4));
    if (percent === undefined) this.#track.removeAttribute('aria-valuenow');
    else this.#track.setAttribute('aria-valuenow', shown.toFixed(0));
    this.#track.setAttribute('aria-valuetext', percent === undefined ? UNKNOWN : text);
  }
}
