// The page's word on who the reader is: a form where somebody must sign in, and until when it is good where somebody has.

import { byId, setText } from './dom.ts';
import { clockTime } from './format.ts';
import type { Session, SessionState } from './session.ts';

/** From here on the page says how long the token still is good. */
const ENDS_SOON_MS = 5 * 60_000;

export class SignInPanel {
  readonly #card = byId('sign-in', HTMLElement);
  readonly #form = byId('sign-in-form', HTMLFormElement);
  readonly #input = byId('credential', HTMLInputElement);
  readonly #button = byId('sign-in-submit', HTMLButtonElement);
  readonly #result = byId('sign-in-result', HTMLElement);
  readonly #account = byId('account', HTMLElement);
  readonly #until = byId('account-until', HTMLElement);
  #state: SessionState = { kind: 'open' };

  constructor(session: Session) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const credential = this.#input.value.trim();
      if (credential !== '' && !this.#button.disabled) void this.#signIn(session, credential);
    });
    byId('sign-out', HTMLButtonElement).addEventListener('click', () => void session.signOut());
  }

  show(state: SessionState): void {
    const wasAsked = this.#state.kind === 'signed_out';
    this.#state = state;
    const isAsked = state.kind === 'signed_out';
    this.#card.hidden = !isAsked;
    this.#account.hidden = state.kind !== 'signed_in';
    document.body.classList.toggle('is-signed-out', isAsked);
    if (isAsked) {
      setText(this.#result, state.reason);
      if (!wasAsked) this.#input.focus();
    } else {
      this.#input.value = '';
    }
    this.tick(Date.now());
  }

  tick(nowMs: number): void {
    if (this.#state.kind !== 'signed_in') return;
    const { endsAtMs } = this.#state;
    setText(this.#until, endsAtMs === undefined ? 'Signed in' : `Signed in until ${clockTime(endsAtMs).slice(0, 5)}`);
    this.#until.classList.toggle('is-attention', endsAtMs !== undefined && endsAtMs - nowMs < ENDS_SOON_MS);
  }

  async #signIn(session: Session, credential: string): Promise<void> {
    this.#button.disabled = true;
    try {
      await session.signIn(credential);
    } finally {
      this.#button.disabled = false;
    }
  }
}
