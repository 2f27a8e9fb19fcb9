// Numbers, times and ids as a person reads them. Pure. What is not known reads "unknown", never 0.

export const UNKNOWN = 'unknown';
/** Keeps a number and its unit on one line. */
const NBSP = '\u00a0';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 });

/** 560733 -> "560,733". */
export function count(value: number | undefined): string {
  return value === undefined ? UNKNOWN : whole.format(value);
}

/** "1 fact", "2 facts". */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A measured value with one digit below 10, none above. */
function measure(value: number): string {
  return value < 9.95 && value > 0 ? oneDigit.format(value) : whole.format(value);
}

/** 42.4 -> "42 %". */
export function percent(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${measure(value)}${NBSP}%`;
}

/** A value with its unit. */
export function quantity(value: number | undefined, unit: string): string {
  return value === undefined ? UNKNOWN : `${measure(value)}${NBSP}${unit}`;
}

/** Bytes in binary units: 3435973837 -> "3.2 GiB". */
export function bytes(value: number | undefined): string {
  return value === undefined ? UNKNOWN : inUnits(value).join(NBSP);
}

function inUnits(value: number): [figure: string, unit: string] {
  let scaled = value;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (scaled < 1024) return [unit === 'B' ? whole.format(scaled) : measure(scaled), unit];
    scaled /= 1024;
  }
  return [measure(scaled), 'PiB'];
}

/** Bytes a second. */
export function byteRate(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${bytes(value)}/s`;
}

/** "3.2 of 16 GiB", "900 MiB of 16 GiB"; says what of the two is not known. */
export function usedOf(used: number | undefined, total: number | undefined): string {
  if (used === undefined && total === undefined) return UNKNOWN;
  if (used !== undefined && total !== undefined) {
    const [figure, unit] = inUnits(used);
    if (unit === inUnits(total)[1]) return `${figure} of ${bytes(total)}`;
  }
  return `${bytes(used)} of ${bytes(total)}`;
}

/** Share of `total` that is used, 0 to 100; undefined unless both are known. */
export function share(used: number | undefined, total: number | undefined): number | undefined {
  return used === undefined || total === undefined || total <= 0 ? undefined : (used / total) * 100;
}

/** An age in milliseconds: "now", "3 s ago", "2 min ago", "5 h ago". */
export function age(ageMs: number | undefined): string {
  if (ageMs === undefined || Number.isNaN(ageMs)) return UNKNOWN;
  const seconds = Math.round(ageMs / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 100) return `${seconds}${NBSP}s ago`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)}${NBSP}min ago`;
  return `${Math.round(seconds / 3600)}${NBSP}h ago`;
}

/** Time of day in the reader's zone, 24 hours; "unknown" for what is no time. */
export function clockTime(time: string | number | undefined): string {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? UNKNOWN : date.toLocaleTimeString('en-GB');
}

/** The trace id of a `traceparent` (or of a bare trace id); undefined where there is none. */
export function traceId(trace: string | null | undefined): string | undefined {
  return /(?:^|-)([0-9a-f]{32})(?:-|$)/.exec(trace ?? '')?.[1];
}

/** `start_engine` -> "start engine". */
export function words(identifier: string): string {
  return identifier.replaceAll('_', ' ');
}
