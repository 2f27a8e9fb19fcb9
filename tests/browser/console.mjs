// Opens the console in Chromium, adds a fact through the API, and waits until the page shows it.
// Settings come from the environment: BYWASH_GATEWAY, BYWASH_KNOWLEDGE_BASE, BYWASH_PROFILE (an empty folder).

import { createRequire } from "node:module";

const require = createRequire(new URL("../../.tools/node/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const DEADLINE_MS = 20_000;
const STATEMENT = "Capital(norway, oslo).";

const browser = await chromium.launchPersistentContext(process.env.BYWASH_PROFILE, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));
  await page.goto(process.env.BYWASH_GATEWAY, { waitUntil: "load", timeout: DEADLINE_MS });
  await page.waitForSelector("#facts", { state: "attached", timeout: DEADLINE_MS });

  const answer = await fetch(`${process.env.BYWASH_KNOWLEDGE_BASE}/api/facts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ statement: STATEMENT }),
  });
  if (answer.status !== 201) throw new Error(`the fact was not taken: ${answer.status} ${await answer.text()}`);

  await page
    .locator("#facts", { hasText: STATEMENT })
    .waitFor({ state: "visible", timeout: DEADLINE_MS })
    .catch(async (error) => {
      const text = await page.locator("body").innerText();
      throw new Error(`${error.message}\nthe page says: ${text}\n${complaints.join("\n")}`);
    });
  console.log(`the page shows ${STATEMENT}`);
} finally {
  await browser.close();
}
