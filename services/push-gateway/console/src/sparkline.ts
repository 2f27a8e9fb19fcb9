// A small chart of counts per second, drawn to its own maximum.

import { svg } from './dom.ts';

const WIDTH = 240;
const HEIGHT = 36;

export class Sparkline {
  readonly element = svg('svg', {
    class: 'sparkline',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  readonly #area = svg('path', { class: 'sparkline-area' });
  readonly #line = svg('path', { class: 'sparkline-line', 'vector-effect': 'non-scaling-stroke' });

  constructor() {
    this.element.append(this.#area, this.#line);
  }

  set(values: readonly number[]): void {
    const top = Math.max(1, ...values);
    const step = WIDTH / Math.max(1, values.length - 1);
    const points = values.map((value, index) => {
      const y = HEIGHT - 1.5 - (value / top) * (HEIGHT - 4);
      return `${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    });
    const line = `M${points.join('L')}`;
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
  }
}
