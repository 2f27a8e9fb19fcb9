// What the page remembers of a stream that never ends: a bounded list, a rate, and the server's clock. Pure.

/** Holds the newest `capacity` items; what is older is dropped and counted. */
export class Recent<T> {
  readonly capacity: number;
  #dropped = 0;
  #items: T[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Items pushed since the last drain, also those that are dropped. */
  get pushed(): number {
    return this.#dropped + this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
    // Cut rarely, so that a flood costs amortised O(1) each.
    if (this.#items.length >= this.capacity * 2) this.#cut();
  }

  /** Takes what is held, oldest first, and counts anew. */
  drain(): T[] {
    this.#cut();
    const items = this.#items;
    this.#items = [];
    this.#dropped = 0;
    return items;
  }

  #cut(): void {
    const surplus = this.#items.length - this.capacity;
    if (surplus > 0) {
      this.#items.splice(0, surplus);
      this.#dropped += surplus;
    }
  }
}

/** Counts per second over the last `seconds` seconds. */
export class RateWindow {
  readonly #buckets: number[];
  #second = Number.NEGATIVE_INFINITY;

  constructor(seconds: number) {
    this.#buckets = new Array<number>(seconds).fill(0);
  }

  add(amount: number, nowMs: number): void {
    this.#advance(nowMs);
    const last = this.#buckets.length - 1;
    this.#buckets[last] = (this.#buckets[last] ?? 0) + amount;
  }

  /** Counts of the complete seconds, oldest first; the second that still runs is left out. */
  series(nowMs: number): number[] {
    this.#advance(nowMs);
    return this.#buckets.slice(0, -1);
  }

  /** Mean per second over the last `seconds` complete seconds. */
  mean(seconds: number, nowMs: number): number {
    const window = this.series(nowMs).slice(-seconds);
    return window.reduce((sum, value) => sum + value, 0) / seconds;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(second - this.#second, this.#buckets.length);
    if (steps <= 0) return;
    this.#buckets.splice(0, steps);
    for (let step = 0; step < steps; step += 1) this.#buckets.push(0);
    this.#second = second;
  }
}

/**
 * Estimates the server's clock, so that ages are right on a computer whose own clock is not.
 *
 * The smallest difference between receiving an event and its time is the clocks' difference plus the fastest
 * delivery; replayed events are older and so never the smallest.
 */
export class ServerClock {
  #differenceMs: number | undefined;

  observe(eventTime: string, receivedMs: number): void {
    const difference = receivedMs - Date.parse(eventTime);
    if (Number.isNaN(difference)) return;
    if (this.#differenceMs === undefined || difference < this.#differenceMs) this.#differenceMs = difference;
  }

  /** Forgets what it saw; a new connection may follow a clock that was set. */
  reset(): void {
    this.#differenceMs = undefined;
  }

  /** Age in milliseconds of what happened at `time`; undefined where `time` is none. */
  ageMs(time: string, nowMs: number): number | undefined {
    const at = Date.parse(time);
    return Number.isNaN(at) ? undefined : Math.max(0, nowMs - (this.#differenceMs ?? 0) - at);
  }
}
