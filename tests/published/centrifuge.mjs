// Drives `centrifuge` (centrifuge-js), in JSON or, with --protobuf, in Protobuf. Commands and events are those of
// centrifuge_client.py, so that one test serves both.

import { drive, flags, load, refusal, tell, url } from "./driver.mjs";

const PROTOBUF = flags.includes("--protobuf");
const { Centrifuge } = load(PROTOBUF ? "centrifuge/build/protobuf" : "centrifuge");
const { WebSocket } = load("ws");

/** Soon enough for a test. */
const RECONNECT_DELAY_MS = { minReconnectDelay: 20, maxReconnectDelay: 200 };
const RESUBSCRIBE_DELAY_MS = { minResubscribeDelay: 20, maxResubscribeDelay: 200 };

let client;

drive({
  connect({ token, tokens, data, headers, max_ping_delay_ms }) {
    client = new Centrifuge(url, {
      websocket: headers ? withHeaders(headers) : WebSocket,
      ...RECONNECT_DELAY_MS,
      ...(token === undefined ? {} : { token }),
      ...(tokens === undefined ? {} : { getToken: async () => next("token_asked", tokens) }),
      ...(data === undefined ? {} : { data: encoded(data) }),
      ...(max_ping_delay_ms === undefined ? {} : { maxServerPingDelay: max_ping_delay_ms }),
    });
    client.on("connecting", ({ code, reason }) => tell("connecting", { code, reason }));
    client.on("connected", ({ client, data }) => tell("connected", { client, data: decoded(data) }));
    client.on("disconnected", ({ code, reason }) => tell("disconnected", { code, reason }));
    client.on("error", ({ type, error }) => tell("error", { type, ...refusal(error) }));
    client.on("subscribed", (context) => tell("server_subscribed", subscribed(context)));
    client.on("unsubscribed", ({ channel }) => tell("server_unsubscribed", { channel }));
    client.on("publication", (context) => tell("server_publication", publication(context)));
    client.connect();
  },
  subscribe({ channel, recoverable, positioned, token, states }) {
    const subscription = client.newSubscription(channel, {
      ...RESUBSCRIBE_DELAY_MS,
      recoverable,
      positioned,
      ...(token === undefined ? {} : { token }),
      ...(states === undefined ? {} : { getState: async () => next("state_asked", states, { channel }) }),
    });
    subscription.on("subscribing", ({ code, reason }) => tell("subscribing", { channel, code, reason }));
    subscription.on("subscribed", (context) => tell("subscribed", subscribed(context)));
    subscription.on("unsubscribed", ({ code, reason }) => tell("unsubscribed", { channel, code, reason }));
    subscription.on("publication", (context) => tell("publication", publication(context)));
    subscription.on("error", ({ error }) => tell("subscription_error", { channel, ...refusal(error) }));
    subscription.subscribe();
  },
  unsubscribe({ channel }) {
    client.getSubscription(channel).unsubscribe();
  },
  async publish({ channel, data }) {
    await client.publish(channel, encoded(data));
  },
  async rpc({ method, data }) {
    return decoded((await client.rpc(method, encoded(data))).data);
  },
  async history({ channel, ...options }) {
    const { offset, epoch, publications } = await client.history(channel, options);
    return { offset: Number(offset), epoch, publications: publications.map(publication) };
  },
  async presence_stats({ channel }) {
    const { numClients, numUsers } = await client.presenceStats(channel);
    return { clients: numClients, users: numUsers };
  },
  disconnect() {
    client.disconnect();
  },
});

/** The next of a list that a test gave, its last one again and again. */
function next(event, list, fields = {}) {
  tell(event, fields);
  return list.length > 1 ? list.shift() : list[0];
}

function subscribed({ channel, recoverable, positioned, streamPosition, wasRecovering, recovered }) {
  const position = streamPosition ? { offset: Number(streamPosition.offset), epoch: streamPosition.epoch } : null;
  return { channel, recoverable, positioned, position, was_recovering: wasRecovering, recovered };
}

function publication({ channel, offset, data, tags, info }) {
  return { channel, offset: Number(offset ?? 0), data: decoded(data), tags: tags ?? {}, user: info?.user ?? null };
}

function encoded(data) {
  return PROTOBUF ? new TextEncoder().encode(JSON.stringify(data)) : data;
}

function decoded(data) {
  if (data instanceof Uint8Array) {
    return data.length === 0 ? null : JSON.parse(new TextDecoder().decode(data));
  }
  return data ?? null;
}

/** `ws` with headers of the upgrade, which browsers do not let a page set. */
function withHeaders(headers) {
  return class extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { headers });
    }
  };
}
