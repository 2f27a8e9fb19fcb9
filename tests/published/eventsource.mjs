// Drives `eventsource`: the browsers' EventSource for Node. It reconnects by itself, with `Last-Event-ID`.

import { drive, flags, load, tell, url } from "./driver.mjs";

const { EventSource } = load("eventsource");

/** The events that the gateway names; data events have no name. */
const NAMED = ["ready", "checkpoint", "gap", "snapshot_end", "upstream", "closing", "auth_expired", ...flags];

let source;

drive({
  open({ headers = {} }) {
    source = new EventSource(url, {
      fetch(input, init) {
        tell("request", { last_event_id: init.headers["Last-Event-ID"] ?? null });
        return fetch(input, { ...init, headers: { ...init.headers, ...headers } });
      },
    });
    source.onopen = () => tell("open");
    source.onerror = ({ code, message }) => {
      const forEver = source.readyState === EventSource.CLOSED;
      tell("error", { code: code ?? null, message: message ?? null, for_ever: forEver });
    };
    source.onmessage = (message) => tell("message", contents(message));
    for (const name of NAMED) {
      source.addEventListener(name, (message) => tell(name, contents(message)));
    }
  },
  close() {
    source.close();
  },
});

function contents(message) {
  return { id: message.lastEventId, data: JSON.parse(message.data) };
}
