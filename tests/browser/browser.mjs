// What the scripts of the browser's tests share: Chromium, and a page that tells what it complained about.
// BYWASH_PROFILE names an empty folder; with BYWASH_SCREENSHOTS set, pictures are left in that folder.

import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../.tools/node/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const DEADLINE_MS = 30_000;

/** Opens `url` in a browser of its own and runs `conversation` with its page. */
export async function browse(url, conversation) {
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
    page.setDefaultTimeout(DEADLINE_MS);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));
    await page.goto(url, { waitUntil: "load" });
    await conversation(page, browser).catch(async (error) => {
      const text = await page.locator("body").innerText();
      throw new Error(`${error.message}\nthe page says: ${text}\n${complaints.join("\n")}`);
    });
  } finally {
    await browser.close();
  }
}

/** Waits until the element shows the text. */
export async function shows(page, selector, text) {
  await page.locator(selector, { hasText: text }).waitFor({ state: "visible" });
  console.log(`${selector} shows ${text}`);
}

/** Leaves a picture where somebody wants to look. */
export async function picture(page, name) {
  const folder = process.env.BYWASH_SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
