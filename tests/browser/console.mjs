// Opens the console, adds a fact through the API, and waits until the page shows it.
// Settings come from the environment: BYWASH_GATEWAY, BYWASH_KNOWLEDGE_BASE, and those of browser.mjs.

import { browse, picture, shows } from "./browser.mjs";

const STATEMENT = "Capital(norway, oslo).";

await browse(process.env.BYWASH_GATEWAY, async (page) => {
  await page.waitForSelector("#facts", { state: "attached" });
  await shows(page, "#connection-label", "Live");
  const answer = await fetch(`${process.env.BYWASH_KNOWLEDGE_BASE}/api/facts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ statement: STATEMENT }),
  });
  if (answer.status !== 201) throw new Error(`the fact was not taken: ${answer.status} ${await answer.text()}`);
  await shows(page, "#facts", STATEMENT);
  await picture(page, "open");
});
