// Verifies deliveries by others' libraries for Node: a line of JSON in, a line of verdicts out.
"use strict";

const { createPublicKey, verify } = require("node:crypto");
const readline = require("node:readline");
const standard = require("standardwebhooks");
const svix = require("svix");

const ED25519 = Buffer.from("302a300506032b6570032100", "hex"); // what SPKI has before the key

function accepts(check) {
  try {
    return check() !== false;
  } catch {
    return false;
  }
}

function verifyAsymmetric({ headers, body, publicKey }) {
  const key = createPublicKey({
    key: Buffer.concat([ED25519, Buffer.from(publicKey.slice("whpk_".length), "base64")]),
    format: "der",
    type: "spki",
  });
  const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return headers["webhook-signature"]
    .split(" ")
    .filter((each) => each.startsWith("v1a,"))
    .some((each) => verify(null, Buffer.from(content), key, Buffer.from(each.slice(4), "base64")));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const given = JSON.parse(line);
  const { secret, headers, body } = given;
  const verdicts = {
    "npm standardwebhooks": accepts(() => new standard.Webhook(secret).verify(body, headers)),
    "npm svix": accepts(() => new svix.Webhook(secret).verify(body, headers)),
  };
  if (given.publicKey) {
    verdicts["node:crypto, ed25519"] = accepts(() => verifyAsymmetric(given));
  }
  console.log(JSON.stringify(verdicts));
});
