// Drives `socket.io-client`. What the server emits becomes an event `received` with its name and arguments.

import { drive, load, refusal, tell, url } from "./driver.mjs";

const { io } = load("socket.io-client");

/** Soon enough for a test; the default waits seconds. */
const RECONNECT_DELAY_MS = 50;

let socket;

drive({
  connect({ transports, auth, headers }) {
    socket = io(url, {
      auth,
      extraHeaders: headers,
      reconnectionDelay: RECONNECT_DELAY_MS,
      reconnectionDelayMax: RECONNECT_DELAY_MS * 4,
      ...(transports ? { transports } : {}),
    });
    // The transport may have changed by the time of "connect".
    socket.io.on("open", () => {
      const { engine } = socket.io;
      tell("open", { transport: engine.transport.name });
      engine.once("upgrade", (transport) => tell("upgrade", { transport: transport.name }));
    });
    socket.on("connect", () => tell("connect", { id: socket.id }));
    socket.on("disconnect", (reason) => tell("disconnect", { reason }));
    socket.on("connect_error", (error) => tell("connect_error", { ...refusal(error), data: error.data ?? null }));
    socket.onAny((name, ...values) => tell("received", { name, values }));
  },
  emit({ name, values = [] }) {
    socket.emit(name, ...values);
  },
  ask({ name, values = [], timeout_ms = 10_000 }) {
    return socket.timeout(timeout_ms).emitWithAck(name, ...values);
  },
  transport() {
    return socket.io.engine.transport.name;
  },
  disconnect() {
    socket.disconnect();
  },
});
