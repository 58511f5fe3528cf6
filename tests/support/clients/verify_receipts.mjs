// Verifies receipts with the library `jose`: takes {keys, receipts} from the standard input,
// prints for each receipt its claims or null.
import { readFileSync } from "node:fs";
import { createLocalJWKSet, jwtVerify } from "jose";

const { keys, receipts } = JSON.parse(readFileSync(0, "utf8"));
const found = createLocalJWKSet(keys);
const options = { algorithms: ["ES256"], typ: "freshet-receipt+jwt" };
const claims = receipts.map((receipt) =>
  jwtVerify(receipt, found, options).then(
    ({ payload }) => payload,
    () => null,
  ),
);
console.log(JSON.stringify(await Promise.all(claims)));
