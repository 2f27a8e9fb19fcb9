// Hosts and their GPUs, one card a node.

import { byId, h, oncePerFrame, setChildren, setText } from './dom.ts';
import { age, byteRate, percent, plural, quantity, share, UNKNOWN, usedOf } from './format.ts';
import { Meter } from './meter.ts';
import type { ServerClock } from './recent.ts';
import type { Gpu, GpuState, SystemState } from './wire.ts';

/** A sample older than this is shown as old; monitors sample every second. */
const OLD_MS = 10_000;

export class HostPanel {
  readonly #nodes = new Map<string, NodeCard>();
  readonly #list = byId('host-nodes', HTMLElement);
  readonly #empty = byId('host-empty', HTMLElement);
  readonly #clock: ServerClock;
  readonly #draw = oncePerFrame(() => this.tick(Date.now()));

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  setSystem(state: SystemState): void {
    this.#card(state.node).system = state;
    this.#draw();
  }

  setGpus(state: GpuState): void {
    this.#card(state.node).gpus = state;
    this.#draw();
  }

  /** Forgets what has ended: the host's load, or the GPUs, of one node. */
  end(kind: 'system' | 'gpus', node: string): void {
    const card = this.#nodes.get(node);
    if (card === undefined) return;
    if (kind === 'system') card.system = undefined;
    else card.gpus = undefined;
    if (card.system === undefined && card.gpus === undefined) this.#nodes.delete(node);
    this.#draw();
  }

  /** Draws values and ages. */
  tick(nowMs: number): void {
    const cards = [...this.#nodes.values()].sort((a, b) => a.node.localeCompare(b.node));
    for (const card of cards) card.draw(this.#clock, nowMs);
    setChildren(this.#list, cards.map((card) => card.element));
    this.#empty.hidden = cards.length > 0;
  }

  #card(node: string): NodeCard {
    let card = this.#nodes.get(node);
    if (card === undefined) {
      card = new NodeCard(node);
      this.#nodes.set(node, card);
    }
    return card;
  }
}

class NodeCard {
  readonly node: string;
  readonly element: HTMLElement;
  system: SystemState | undefined;
  gpus: GpuState | undefined;
  readonly #age = h('span', { class: 'age' });
  readonly #cpu = new Meter('CPU');
  readonly #memory = new Meter('Memory');
  readonly #disk = new Meter('Disk');
  readonly #pressure = new Meter('CPU pressure');
  readonly #load = h('dd');
  readonly #network = h('dd');
  readonly #gpuBox = h('div', { class: 'gpus' });
  readonly #gpuNote = h('p', { class: 'quiet' });
  #gpuCards: GpuCard[] = [];

  constructor(node: string) {
    this.node = node;
    const title = h('h3', { class: 'node-name' }, node);
    const facts = h(
      'dl',
      { class: 'pairs' },
      h('div', {}, h('dt', {}, 'Load, 1 min'), this.#load),
      h('div', {}, h('dt', {}, 'Network'), this.#network),
    );
    this.element = h(
      'article',
      { class: 'node', 'data-node': node },
      h('header', { class: 'node-head' }, title, this.#age),
      h('div', { class: 'meters' }, this.#cpu.element, this.#memory.element, this.#disk.element, this.#pressure.element),
      facts,
      this.#gpuBox,
      this.#gpuNote,
    );
  }

  draw(clock: ServerClock, nowMs: number): void {
    this.#drawAge(clock, nowMs);
    const { system } = this;
    const cores = system?.cpu_count;
    const used = percent(system?.cpu_percent);
    this.#cpu.set(system?.cpu_percent, cores === undefined ? used : `${used} of ${plural(cores, 'core')}`);
    this.#memory.set(
      share(system?.memory_used_bytes, system?.memory_total_bytes),
      usedOf(system?.memory_used_bytes, system?.memory_total_bytes),
    );
    this.#disk.set(
      share(system?.disk_used_bytes, system?.disk_total_bytes),
      usedOf(system?.disk_used_bytes, system?.disk_total_bytes),
    );
    this.#pressure.set(system?.cpu_pressure_percent, percent(system?.cpu_pressure_percent));
    setText(this.#load, system?.load_1m === undefined ? UNKNOWN : system.load_1m.toFixed(2));
    const received = system?.network_receive_bytes_per_second;
    const sent = system?.network_transmit_bytes_per_second;
    setText(this.#network, `in ${byteRate(received)}, out ${byteRate(sent)}`);
    this.#drawGpus();
  }

  #drawAge(clock: ServerClock, nowMs: number): void {
    // The older of the two, so that a half that stopped shows.
    const ages = [this.system?.time, this.gpus?.time]
      .filter((time) => time !== undefined)
      .map((time) => clock.ageMs(time, nowMs))
      .filter((ageMs) => ageMs !== undefined);
    const oldest = ages.length === 0 ? undefined : Math.max(...ages);
    setText(this.#age, oldest === undefined ? 'age unknown' : `sampled ${age(oldest)}`);
    this.element.classList.toggle('is-old', oldest === undefined || oldest > OLD_MS);
  }

  #drawGpus(): void {
    const gpus = this.gpus?.gpus ?? [];
    if (gpus.length < this.#gpuCards.length) this.#gpuCards.length = gpus.length;
    gpus.forEach((gpu, index) => {
      const card = (this.#gpuCards[index] ??= new GpuCard());
      card.draw(gpu, this.gpus?.source === 'simulator');
    });
    setChildren(this.#gpuBox, this.#gpuCards.map((card) => card.element));
    setText(this.#gpuNote, this.gpus === undefined ? 'GPUs unknown' : 'No GPU on this node');
    this.#gpuNote.hidden = gpus.length > 0;
  }
}

class GpuCard {
  readonly #name = h('h4', { class: 'gpu-name' });
  readonly #simulated = h(
    'span',
    { class: 'badge is-simulated', title: 'Not real hardware: the simulator makes these values' },
    'simulated',
  );
  readonly #busy = new Meter('Utilization');
  readonly #memory = new Meter('Memory');
  readonly #temperature = h('dd');
  readonly #power = h('dd');
  readonly element = h(
    'section',
    { class: 'gpu' },
    h('div', { class: 'gpu-head' }, this.#name, this.#simulated),
    h('div', { class: 'meters' }, this.#busy.element, this.#memory.element),
    h(
      'dl',
      { class: 'pairs' },
      h('div', {}, h('dt', {}, 'Temperature'), this.#temperature),
      h('div', {}, h('dt', {}, 'Power'), this.#power),
    ),
  );

  draw(gpu: Gpu, simulated: boolean): void {
    setText(this.#name, `GPU ${gpu.index} · ${gpu.name}`);
    if (gpu.uuid !== undefined) this.#name.title = gpu.uuid;
    this.#simulated.hidden = !simulated;
    this.#busy.set(gpu.utilization_percent, percent(gpu.utilization_percent));
    this.#memory.set(
      share(gpu.memory_used_bytes, gpu.memory_total_bytes),
      usedOf(gpu.memory_used_bytes, gpu.memory_total_bytes),
    );
    setText(this.#temperature, quantity(gpu.temperature_celsius, '°C'));
    setText(this.#power, quantity(gpu.power_watts, 'W'));
  }
}
