// What the drivers in JavaScript share: commands come as JSON lines on standard input, answers and events leave as JSON
// lines on standard output. Everything else that a driver has to say goes to standard error.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** Loads a published client from where `cargo xtask tools` installs it. */
export const load = createRequire(new URL("../../.tools/published/package.json", import.meta.url));

/** The gateway's address, and what comes after it. */
export const [url, ...flags] = process.argv.slice(2);

/** Prints an event of the client. */
export function tell(event, fields = {}) {
  print({ event, ...fields });
}

/** Carries commands `{id, command, ...}` out as they come and answers `{reply: id, result}` or `{reply: id, error}`. */
export function drive(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { id, command, ...given } = JSON.parse(line);
    try {
      const result = await commands[command](given);
      print({ reply: id, result: result ?? null });
    } catch (error) {
      print({ reply: id, error: refusal(error) });
    }
  });
  lines.on("close", () => process.exit(0));
}

/** Code and message of whatever a client throws. */
export function refusal(error) {
  return { code: error?.code ?? null, message: error?.message ?? String(error) };
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
