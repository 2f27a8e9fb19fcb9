// The messages on the wire, written by hand from proto-schemas/proto/bywash/v1/*.proto and the event envelope of the
// gateway's SSE endpoint. JSON names are snake_case, 64-bit counts are doubles, and an optional field that is absent
// is "not known": never 0.

/** knowledge_base.proto: one fact was added. */
export interface FactAdded {
  id: number;
  statement: string;
  context: string;
  confidence: number;
  created_at: string;
  revision: number;
}

/** knowledge_base.proto: one batch of a bulk request was added. */
export interface FactsImported {
  count: number;
  first_id: number;
  last_id: number;
  created_at: string;
  revision: number;
}

/** knowledge_base.proto: newest state of the knowledge base. */
export interface KnowledgeBaseState {
  instance: string;
  epoch: string;
  revision: number;
  fact_count: number;
  relay_lag_changes: number;
  relay_lag_seconds?: number;
  time: string;
}

/** governor.proto: the input that made a decision. */
export interface DecisionInput {
  name: string;
  value: string;
  observed_at: string;
}

/** governor.proto: one decision. */
export interface Decision {
  id: string;
  action: string;
  engine?: string;
  mode: string;
  reasoning: string[];
  input?: DecisionInput;
  timestamp: string;
}

/** governor.proto: newest state of the governor. */
export interface GovernorState {
  instance: string;
  running: boolean;
  mode: string;
  decisions_made: number;
  last_decision?: Decision;
  engines: string[];
  summary: string;
  time: string;
}

/** gpu_monitor.proto: one GPU at one moment. */
export interface Gpu {
  index: number;
  name: string;
  uuid?: string;
  utilization_percent?: number;
  memory_used_bytes?: number;
  memory_total_bytes?: number;
  temperature_celsius?: number;
  power_watts?: number;
}

/** gpu_monitor.proto: all GPUs of a node. */
export interface GpuState {
  node: string;
  source: string;
  gpus: Gpu[];
  time: string;
}

/** gpu_monitor.proto: host load of a node. */
export interface SystemState {
  node: string;
  cpu_percent?: number;
  cpu_count?: number;
  load_1m?: number;
  memory_used_bytes?: number;
  memory_total_bytes?: number;
  disk_used_bytes?: number;
  disk_total_bytes?: number;
  network_receive_bytes_per_second?: number;
  network_transmit_bytes_per_second?: number;
  cpu_pressure_percent?: number;
  time: string;
}

/** push_gateway.proto: newest state of one gateway pod. */
export interface GatewayState {
  pod: string;
  connections: number;
  delivered: number;
  behind: number;
  time: string;
}

/** Event types that the console shows, and the message behind each (proto-schemas/src/event.rs). */
interface Messages {
  fact_added: FactAdded;
  facts_imported: FactsImported;
  kb_state: KnowledgeBaseState;
  governor_decision: Decision;
  governor_state: GovernorState;
  gpu_state: GpuState;
  system_state: SystemState;
  gateway_state: GatewayState;
}

interface Envelope {
  topic: string;
  seq: number;
  time: string;
  trace?: string | null;
}

/** One data event of the stream; `type` says what `data` is. */
export type StreamEvent =
  | { [T in keyof Messages]: Envelope & { type: T; data: Messages[T] } }[keyof Messages]
  // A state key that ended.
  | (Envelope & { type: 'removed' });

/** `ready`: what the gateway understood. */
export interface Ready {
  topics: string[];
  resumed: boolean;
}

/** `gap`: events from `from` to `to` (stream sequences) are lost to this client for good. */
export interface Gap {
  topic: string;
  from?: number | null;
  to?: number | null;
  reason: string;
}

/** `upstream`: whether the gateway hears from NATS. */
export interface Upstream {
  connected: boolean;
}

/** `snapshot_end`: the snapshot of `topic` is complete; keys not named are gone. */
export interface SnapshotEnd {
  topic: string;
  keys: string[];
}

/** `GET /api/profile`; an empty base URL means the page's own origin. */
export interface Profile {
  profile: string;
  /** Whether one must say who one is. */
  sign_in: boolean;
  services: { knowledge_base?: string; governor?: string; gpu_monitor?: string };
}

/** The answer to `POST /api/events/ticket`. */
export interface Ticket {
  ticket: string;
  expires_in_s: number;
}

/** The answer to `POST /api/facts`. */
export interface FactCreated {
  id: number;
  statement: string;
  revision: number;
}

/** Reads a data event; undefined where the text is not one. Unknown types pass: the page ignores them. */
export function parseEvent(text: string): StreamEvent | undefined {
  const value = parseObject(text);
  return typeof value?.['topic'] === 'string' && typeof value['type'] === 'string'
    ? (value as unknown as StreamEvent)
    : undefined;
}

/** Reads JSON text that must be one object; undefined where it is not. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether `topic` is one of those that `pattern` names: `*` is one token, `>` the rest, as NATS has it. */
export function topicMatches(pattern: string, topic: string): boolean {
  const wanted = pattern.split('.');
  const tokens = topic.split('.');
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return tokens.length > index;
    if (tokens.length <= index || (token !== '*' && token !== tokens[index])) return false;
  }
  return tokens.length === wanted.length;
}
