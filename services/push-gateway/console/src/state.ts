// State topics: which key feeds which panel, and what happens to a panel when its key ends.

import type { GovernorPanel } from './governor.ts';
import type { HostPanel } from './host.ts';
import type { KnowledgePanel } from './knowledge.ts';
import type { PodsPanel } from './pods.ts';
import { type SnapshotEnd, type StreamEvent, topicMatches } from './wire.ts';

interface Panels {
  knowledge: KnowledgePanel;
  host: HostPanel;
  governor: GovernorPanel;
  pods: PodsPanel;
}

export class StatePanels {
  readonly #panels: Panels;
  /** Keys that are shown, each with how to end it. As many as the gateway's state table has. */
  readonly #endings = new Map<string, () => void>();

  constructor(panels: Panels) {
    this.#panels = panels;
  }

  /** Shows one state event; a key that ended leaves its panel. */
  apply(event: StreamEvent): void {
    const { knowledge, host, governor, pods } = this.#panels;
    switch (event.type) {
      case 'kb_state':
        knowledge.set(event.data);
        this.#endings.set(event.topic, () => knowledge.set(undefined));
        break;
      case 'governor_state':
        governor.set(event.data);
        this.#endings.set(event.topic, () => governor.set(undefined));
        break;
      case 'system_state': {
        const { node } = event.data;
        host.setSystem(event.data);
        this.#endings.set(event.topic, () => host.end('system', node));
        break;
      }
      case 'gpu_state': {
        const { node } = event.data;
        host.setGpus(event.data);
        this.#endings.set(event.topic, () => host.end('gpus', node));
        break;
      }
      case 'gateway_state': {
        const { pod } = event.data;
        pods.set(event.data);
        this.#endings.set(event.topic, () => pods.end(pod));
        break;
      }
      case 'removed':
        this.#end(event.topic);
        break;
      default:
      // A type that this page does not know yet.
    }
  }

  /** Ends the keys of `end.topic` that the snapshot did not name. */
  endSnapshot(end: SnapshotEnd): void {
    const named = new Set(end.keys);
    for (const topic of [...this.#endings.keys()]) {
      if (topicMatches(end.topic, topic) && !named.has(topic)) this.#end(topic);
    }
  }

  #end(topic: string): void {
    this.#endings.get(topic)?.();
    this.#endings.delete(topic);
  }
}
