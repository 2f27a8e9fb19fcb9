// Where in a statement the knowledge base stopped reading. Pure.

/** A text cut at one character; `at` is empty where the text ends too soon. */
export interface Place {
  before: string;
  at: string;
  after: string;
}

/**
 * The place that an error's details name: `position`, an offset in bytes of the UTF-8 form. Undefined where they
 * name none.
 */
export function errorPlace(text: string, details: Record<string, unknown>): Place | undefined {
  const position = details['position'];
  if (typeof position !== 'number' || !Number.isInteger(position) || position < 0) return undefined;
  // Characters, not UTF-16 units: a pair must not be cut.
  const characters = Array.from(text);
  const encoder = new TextEncoder();
  let offset = 0;
  let index = 0;
  for (; index < characters.length; index += 1) {
    const length = encoder.encode(characters[index]).length;
    if (offset + length > position) break;
    offset += length;
  }
  return {
    before: characters.slice(0, index).join(''),
    at: characters[index] ?? '',
    after: characters.slice(index + 1).join(''),
  };
}
