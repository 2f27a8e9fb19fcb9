// Requests to the services: base URLs from the profile, the key or token, and errors as the services tell them.

import { parseObject, type Profile, type Ticket } from './wire.ts';

const TIMEOUT_MS = 10_000;
const KEY_ITEM = 'bywash.api_key';

/** An answer that is no success, or none at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(status: number, code: string, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** Reads the error envelope `{"error": {code, message, details}}`; says the status where there is none. */
export function errorFrom(status: number, body: string): ApiError {
  const error = parseObject(body)?.['error'];
  if (typeof error !== 'object' || error === null) return new ApiError(status, `http_${status}`, `HTTP status ${status}`);
  const { code, message, details } = error as Record<string, unknown>;
  return new ApiError(
    status,
    typeof code === 'string' ? code : `http_${status}`,
    typeof message === 'string' ? message : `HTTP status ${status}`,
    typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {},
  );
}

/** The key or token of this tab, kept until the tab closes; empty where none is set. */
export const apiKey = {
  get: (): string => sessionStorage.getItem(KEY_ITEM) ?? '',
  set: (key: string): void => {
    if (key === '') sessionStorage.removeItem(KEY_ITEM);
    else sessionStorage.setItem(KEY_ITEM, key);
  },
};

async function request(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  const headers = new Headers(init.headers);
  if (apiKey.get() !== '') headers.set('Authorization', `Bearer ${apiKey.get()}`);
  let response: Response;
  let body: string;
  try {
    response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    body = await response.text();
  } catch (cause) {
    const origin = new URL(url, location.href).origin;
    throw cause instanceof DOMException && cause.name === 'TimeoutError'
      ? new ApiError(0, 'timeout', `no answer from ${origin} within ${TIMEOUT_MS / 1000} s`)
      : new ApiError(0, 'unreachable', `${origin} cannot be reached, or does not allow this page's origin`);
  }
  if (!response.ok) throw errorFrom(response.status, body);
  return parseObject(body) ?? {};
}

/** The services' API. Until the profile is known, they are asked at the page's own origin. */
export class Api {
  #services: Profile['services'] = {};

  async loadProfile(): Promise<Profile> {
    const profile = (await request('/api/profile')) as unknown as Profile;
    this.#services = profile.services ?? {};
    return profile;
  }

  /** A ticket for the stream, which the browser also keeps as a cookie; the same call renews. */
  async requestTicket(): Promise<Ticket> {
    return (await request('/api/events/ticket', { method: 'POST' })) as unknown as Ticket;
  }

  /** Has the browser forget the cookie. */
  async dropTicket(): Promise<void> {
    await request('/api/events/ticket', { method: 'DELETE' });
  }

  /** POST to the knowledge base. */
  postToKnowledgeBase(path: string, body: object): Promise<Record<string, unknown>> {
    return this.#post(this.#services.knowledge_base, path, body);
  }

  /** POST to the governor. */
  postToGovernor(path: string, body: object): Promise<Record<string, unknown>> {
    return this.#post(this.#services.governor, path, body);
  }

  #post(base: string | undefined, path: string, body: object): Promise<Record<string, unknown>> {
    return request((base ?? '').replace(/\/$/, '') + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  }
}

/**
 * Why the gateway refuses the stream: EventSource hides the status, so the same URL is asked once more by fetch.
 * Undefined where it would be served now.
 */
export async function streamRefusal(url: string): Promise<ApiError | undefined> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    return response.ok ? undefined : errorFrom(response.status, await response.text());
  } catch {
    return new ApiError(0, 'unreachable', 'the gateway cannot be reached');
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}
