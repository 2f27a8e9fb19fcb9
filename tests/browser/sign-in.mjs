// Signs in to the console with a key, adds a fact there, comes back, signs out; then with a token that ends soon.
// Settings come from the environment: BYWASH_GATEWAY, BYWASH_KEY, BYWASH_JWT_SECRET, and those of browser.mjs.

import { createHmac } from "node:crypto";
import { browse, picture, shows } from "./browser.mjs";

const STATEMENT = "Capital(norway, oslo).";
/** Long enough to see the page live on a busy machine. */
const TOKEN_LIFE_S = 20;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token() {
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_LIFE_S;
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: "ada", roles: ["read"], exp })}`;
  return `${signed}.${createHmac("sha256", process.env.BYWASH_JWT_SECRET).update(signed).digest("base64url")}`;
}

async function signIn(page, credential) {
  await page.locator("#credential").fill(credential);
  await page.locator("#sign-in-submit").click();
}

async function cookies(browser) {
  return (await browser.cookies()).filter(({ name }) => name === "bywash_ticket");
}

await browse(process.env.BYWASH_GATEWAY, async (page, browser) => {
  await shows(page, "#sign-in", "Sign in");
  await shows(page, "#connection-label", "Signed out");
  if (await page.locator("main").isVisible()) throw new Error("there is nothing to see before one has signed in");

  await signIn(page, "a-key-that-nobody-has");
  await shows(page, "#sign-in-result", "wrong_key");
  await picture(page, "refused");

  await signIn(page, process.env.BYWASH_KEY);
  await shows(page, "#connection-label", "Live");
  await shows(page, "#account", "Signed in");
  await page.locator("#fact-input").fill(STATEMENT);
  await page.locator("#fact-submit").click();
  await shows(page, "#facts", STATEMENT);
  await picture(page, "signed-in");
  const kept = await cookies(browser);
  if (kept.length !== 2 || !kept.every((one) => one.httpOnly && one.sameSite === "Strict")) {
    throw new Error(`the ticket is kept where scripts do not see it: ${JSON.stringify(kept)}`);
  }

  await page.reload({ waitUntil: "load" });
  await shows(page, "#connection-label", "Live");

  await page.locator("#sign-out").click();
  await shows(page, "#sign-in", "Sign in");
  const left = await cookies(browser);
  if (left.length > 0) throw new Error(`the ticket is forgotten: ${JSON.stringify(left)}`);

  await signIn(page, token());
  await shows(page, "#account", "Signed in until");
  await shows(page, "#connection-label", "Live");
  await shows(page, "#sign-in-result", "token_expired");
  await picture(page, "expired");
});
