// Gateway pods, one block each: who is connected, what was delivered, who is behind.

import { byId, h, oncePerFrame, setChildren, setText } from './dom.ts';
import { age, count } from './format.ts';
import type { ServerClock } from './recent.ts';
import type { GatewayState } from './wire.ts';

export class PodsPanel {
  readonly #pods = new Map<string, PodBlock>();
  readonly #list = byId('gateway-pods', HTMLElement);
  readonly #empty = byId('gateway-empty', HTMLElement);
  readonly #clock: ServerClock;
  readonly #draw = oncePerFrame(() => this.tick(Date.now()));

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  set(state: GatewayState): void {
    const block = this.#pods.get(state.pod);
    if (block === undefined) this.#pods.set(state.pod, new PodBlock(state));
    else block.state = state;
    this.#draw();
  }

  end(pod: string): void {
    this.#pods.delete(pod);
    this.#draw();
  }

  /** Draws values and ages. */
  tick(nowMs: number): void {
    const blocks = [...this.#pods.values()].sort((a, b) => a.state.pod.localeCompare(b.state.pod));
    for (const block of blocks) block.draw(this.#clock, nowMs);
    setChildren(this.#list, blocks.map((block) => block.element));
    this.#empty.hidden = blocks.length > 0;
  }
}

class PodBlock {
  state: GatewayState;
  readonly element: HTMLElement;
  readonly #age = h('span', { class: 'age' });
  readonly #connections = h('dd');
  readonly #delivered = h('dd');
  readonly #behind = h('dd');

  constructor(state: GatewayState) {
    this.state = state;
    this.element = h(
      'article',
      { class: 'pod', 'data-pod': state.pod },
      h('header', { class: 'node-head' }, h('h3', { class: 'node-name' }, state.pod), this.#age),
      h(
        'dl',
        { class: 'pod-figures' },
        h('div', {}, h('dt', {}, 'Connections'), this.#connections),
        h('div', { title: 'Events that reached a socket since the pod started' }, h('dt', {}, 'Delivered'), this.#delivered),
        h('div', { title: 'Sessions with something unsent that wait for their socket' }, h('dt', {}, 'Behind'), this.#behind),
      ),
    );
  }

  draw(clock: ServerClock, nowMs: number): void {
    setText(this.#connections, count(this.state.connections));
    setText(this.#delivered, count(this.state.delivered));
    setText(this.#behind, count(this.state.behind));
    this.#behind.classList.toggle('is-attention', this.state.behind > 0);
    setText(this.#age, `told ${age(clock.ageMs(this.state.time, nowMs))}`);
  }
}
