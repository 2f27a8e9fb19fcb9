// Signs JWTs as an identity provider does (RFC 7519, HS256), with nothing but Node.

import { createHmac } from "node:crypto";

import { drive } from "./driver.mjs";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

drive({
  sign({ secret, claims, expires_in_s }) {
    const exp = Math.floor(Date.now() / 1_000) + expires_in_s;
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...claims, exp })}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  },
});
