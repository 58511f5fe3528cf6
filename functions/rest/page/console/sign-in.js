// Signing in at the stage's issuer: OAuth 2 authorization code with PKCE, as a public client.
// What has to be known when the browser comes back is kept in this tab, and used once.
import * as oauth from "oauth4webapi";
import { PAGE } from "./api.js";

const BEGUN = "freshet.sign-in";
const HINT = "freshet.id-token";

/** Send the browser to the issuer; `view` is the fragment to come back to. */
export async function begin(config, view) {
  const server = await discover(config);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = asksIdentity(config) ? oauth.generateRandomNonce() : null;
  sessionStorage.setItem(BEGUN, JSON.stringify({ verifier, state, nonce, view }));
  const address = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: config.client_id,
    redirect_uri: PAGE.href,
    response_type: "code",
    scope: config.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    ...(nonce && { nonce }),
    ...(config.audience && { audience: config.audience }),
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Turn what the issuer sent the browser back with into `{token, view}`. */
export async function finish(config, address) {
  const begun = JSON.parse(sessionStorage.getItem(BEGUN));
  sessionStorage.removeItem(BEGUN);
  if (begun === null) throw new Error("This sign-in was not begun in this tab. Sign in again.");
  const server = await discover(config);
  const client = { client_id: config.client_id };
  const answer = oauth.validateAuthResponse(server, client, address, begun.state);
  const asked = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    answer,
    PAGE.href,
    begun.verifier,
    options(config),
  );
  const told = await oauth.processAuthorizationCodeResponse(server, client, asked, {
    expectedNonce: begun.nonce ?? oauth.expectNoNonce,
    requireIdToken: false,
  });
  if (told.id_token) sessionStorage.setItem(HINT, told.id_token);
  return { token: told.access_token, view: begun.view || "#/" };
}

/** What a sign-in failed of, in words for the person and for who has set it up. */
export function explain(fault) {
  const told = fault.error_description ?? fault.error;
  if (told) return new Error(`The issuer has refused: ${told}.`);
  if (fault instanceof TypeError && !fault.code) {
    return new Error("The issuer does not answer, or does not let this page read it (CORS).");
  }
  return fault;
}

/** End the session at the issuer, too, if it has a page for that. */
export async function leave(config) {
  const hint = sessionStorage.getItem(HINT);
  sessionStorage.removeItem(HINT);
  const server = await discover(config);
  if (!server.end_session_endpoint) return;
  const address = new URL(server.end_session_endpoint);
  address.searchParams.set("client_id", config.client_id);
  address.searchParams.set("post_logout_redirect_uri", PAGE.href);
  if (hint) address.searchParams.set("id_token_hint", hint);
  location.assign(address);
}

async function discover(config) {
  const issuer = new URL(config.issuer);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...options(config) });
  return oauth.processDiscoveryResponse(issuer, answer);
}

function asksIdentity(config) {
  return config.scope.split(" ").includes("openid");
}

/** Plain HTTP is for an issuer on this machine only. */
function options({ issuer }) {
  const { protocol, hostname } = new URL(issuer);
  const local = protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname);
  return { [oauth.allowInsecureRequests]: local };
}
