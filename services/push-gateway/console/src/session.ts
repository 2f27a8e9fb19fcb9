// Who this page is to the services: the tab's key or token, and the ticket that lets its stream in. An EventSource sends
// no headers, so the key is given once for a ticket, which the browser keeps as a cookie that no script can read.

import { type Api, ApiError, apiKey } from './api.ts';
import { backoffMs } from './backoff.ts';
import { renewAfterMs, tokenEndMs } from './credential.ts';

export type SessionState =
  /** Nothing is asked here. */
  | { kind: 'open' }
  /** The reader must say who they are; `reason` tells why they are asked again. */
  | { kind: 'signed_out'; reason: string }
  /** Until `endsAtMs`, where the token says so. */
  | { kind: 'signed_in'; endsAtMs: number | undefined };

export class Session {
  readonly #api: Api;
  readonly #changed: (state: SessionState) => void;
  #timer: number | undefined;
  #attempt = 0;
  /** For addresses, where the browser does not say whose request it is and the cookie alone does not count. */
  #ticket = '';

  constructor(api: Api, changed: (state: SessionState) => void) {
    this.#api = api;
    this.#changed = changed;
  }

  /** Begins with the key that the tab has, if it needs one. */
  async begin(asks: boolean): Promise<void> {
    if (!asks) this.#changed({ kind: 'open' });
    else if (apiKey.get() === '') this.#end('');
    else await this.renew();
  }

  /** Tries a key or token and keeps it where it is good. */
  async signIn(credential: string): Promise<void> {
    apiKey.set(credential);
    await this.renew();
  }

  /** Begins anew: what the page shows was for the reader who goes. */
  async signOut(): Promise<void> {
    try {
      await this.#api.dropTicket();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The cookie ends by itself soon; the key is forgotten all the same.
    }
    apiKey.set('');
    location.reload();
  }

  /** Gets another ticket; false where the reader must sign in again. */
  async renew(): Promise<boolean> {
    clearTimeout(this.#timer);
    try {
      const { ticket, expires_in_s } = await this.#api.requestTicket();
      this.#ticket = ticket;
      this.#attempt = 0;
      this.#timer = setTimeout(() => void this.renew(), renewAfterMs(expires_in_s));
      this.#changed({ kind: 'signed_in', endsAtMs: tokenEndMs(apiKey.get()) });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 || error.status === 403) {
        this.#end(`${error.code}: ${error.message}`);
        return false;
      }
      // The gateway is away; the key may still be good, and the stream tells of its own trouble.
      this.#timer = setTimeout(() => void this.renew(), backoffMs(this.#attempt, Math.random()));
      this.#attempt += 1;
      this.#changed({ kind: 'signed_in', endsAtMs: tokenEndMs(apiKey.get()) });
      return true;
    }
  }

  /** The address of a stream, with the ticket where a cookie would not count. */
  streamUrl(url: string): string {
    return this.#ticket === '' || isSecureContext ? url : `${url}&ticket=${encodeURIComponent(this.#ticket)}`;
  }

  #end(reason: string): void {
    clearTimeout(this.#timer);
    apiKey.set('');
    this.#ticket = '';
    this.#changed({ kind: 'signed_out', reason });
  }
}
