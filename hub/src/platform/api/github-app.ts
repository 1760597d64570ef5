import { createPrivateKey, createSign } from "node:crypto";
import { Fault } from "@capstan/proto";
import type { AppSigner } from "../../listings/port.ts";

/** Signs as GitHub wants it of an app: issued a minute ago, for clocks that differ, and good for nine minutes. */
export const appSigner: AppSigner = {
  appToken({ id, privateKey }, now) {
    const seconds = Math.floor(now / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const head = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iat: seconds - 60, exp: seconds + 540, iss: id })}`;
    return `${head}.${createSign("RSA-SHA256").update(head).sign(keyOf(privateKey)).toString("base64url")}`;
  },
};

function keyOf(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Fault("bad-config", {
      message: "githubAppPrivateKey holds no private key in PEM.",
      next: "Download a key of the app, and put it there as it is.",
      cause,
    });
  }
}
