// The one live stream: an EventSource that resumes by itself, opened anew by this page where the browser gives up or
// nothing is heard. What events mean is not known here.

import { backoffMs } from './backoff.ts';
import { type Gap, parseEvent, parseObject, type Ready, type SnapshotEnd, type StreamEvent, type Upstream } from './wire.ts';

/** The gateway sends a checkpoint every 15 s; two missed and some slack means that nobody is there. */
export const SILENCE_LIMIT_MS = 40_000;
const WATCH_INTERVAL_MS = 1_000;

export type ConnectionStatus =
  | { kind: 'connecting' }
  | { kind: 'live'; resumed: boolean }
  /** The browser reconnects by itself. */
  | { kind: 'reconnecting' }
  /** Nothing came for too long; the page opens the stream anew. */
  | { kind: 'stale' }
  /** The browser gave up; the page tries again at `retryAtMs`. */
  | { kind: 'waiting'; retryAtMs: number };

export interface StreamHandlers {
  event(event: StreamEvent): void;
  ready(ready: Ready): void;
  gap(gap: Gap): void;
  snapshotEnd(end: SnapshotEnd): void;
  upstream(upstream: Upstream): void;
  /** The ticket is over: whether there is another one now. */
  expired(): Promise<boolean>;
  status(status: ConnectionStatus): void;
}

export class LiveStream {
  readonly #url: () => string;
  readonly #handlers: StreamHandlers;
  #source: EventSource | undefined;
  #status: ConnectionStatus = { kind: 'connecting' };
  #lastEventId = '';
  #heardAtMs: number | undefined;
  #openedAtMs = 0;
  #attempt = 0;
  #retry: number | undefined;
  #watcher: number | undefined;

  constructor(url: () => string, handlers: StreamHandlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  /** When anything was heard last, milliseconds since the epoch; undefined before the first event. */
  get heardAtMs(): number | undefined {
    return this.#heardAtMs;
  }

  /** Whether it runs: live or on its way to it. */
  get isStarted(): boolean {
    return this.#watcher !== undefined;
  }

  start(): void {
    if (this.isStarted) return;
    this.#setStatus({ kind: 'connecting' });
    this.#open();
    this.#watcher = setInterval(() => this.#watch(), WATCH_INTERVAL_MS);
  }

  /** Closes the stream. The next start begins anew: another reader may see other topics. */
  stop(): void {
    clearInterval(this.#watcher);
    clearTimeout(this.#retry);
    this.#watcher = undefined;
    this.#source?.close();
    this.#source = undefined;
    this.#lastEventId = '';
    this.#heardAtMs = undefined;
    this.#attempt = 0;
  }

  /** Opens the stream anew unless it is live. */
  retryNow(): void {
    if (this.isStarted && this.#status.kind !== 'live') this.#open();
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#openedAtMs = Date.now();
    // A new EventSource sends no Last-Event-ID, so the token goes into the URL; later ones are in the header and win.
    const resume = this.#lastEventId === '' ? '' : `&last_event_id=${encodeURIComponent(this.#lastEventId)}`;
    const source = new EventSource(this.#url() + resume);
    this.#source = source;

    source.onmessage = (message: MessageEvent<string>) => {
      this.#heard(message);
      const event = parseEvent(message.data);
      if (event !== undefined) this.#handlers.event(event);
    };
    const named = (name: string, handle: (data: Record<string, unknown>) => void): void => {
      source.addEventListener(name, (message) => {
        this.#heard(message as MessageEvent<string>);
        handle(parseObject((message as MessageEvent<string>).data) ?? {});
      });
    };
    named('ready', (data) => {
      const ready = data as unknown as Ready;
      this.#attempt = 0;
      this.#handlers.ready(ready);
      this.#setStatus({ kind: 'live', resumed: ready.resumed });
    });
    named('checkpoint', () => {});
    named('gap', (data) => this.#handlers.gap(data as unknown as Gap));
    named('snapshot_end', (data) => this.#handlers.snapshotEnd(data as unknown as SnapshotEnd));
    named('upstream', (data) => this.#handlers.upstream(data as unknown as Upstream));
    named('auth_expired', () => void this.#expired(source));
    source.onerror = () => this.#failed(source);
  }

  /** The browser would come back with the same ticket; a newer one is asked for first. */
  async #expired(source: EventSource): Promise<void> {
    source.close();
    this.#setStatus({ kind: 'reconnecting' });
    if ((await this.#handlers.expired()) && source === this.#source) this.#open();
  }

  #failed(source: EventSource): void {
    if (source !== this.#source) return;
    if (source.readyState !== EventSource.CLOSED) {
      this.#setStatus({ kind: 'reconnecting' });
      return;
    }
    const delayMs = backoffMs(this.#attempt, Math.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#open(), delayMs);
    this.#setStatus({ kind: 'waiting', retryAtMs: Date.now() + delayMs });
  }

  #heard(message: MessageEvent<string>): void {
    this.#heardAtMs = Date.now();
    if (message.lastEventId !== '') this.#lastEventId = message.lastEventId;
  }

  /** A connection that is dead without having ended tells nobody; only the clock finds it. */
  #watch(): void {
    if (this.#status.kind === 'waiting') return;
    const sinceMs = Math.max(this.#heardAtMs ?? 0, this.#openedAtMs);
    if (Date.now() - sinceMs < SILENCE_LIMIT_MS) return;
    this.#setStatus({ kind: 'stale' });
    this.#open();
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.#handlers.status(status);
  }
}
