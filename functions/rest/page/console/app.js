// The frame: it signs a person in, finds the view of an address, and says what is wrong with all.
import { Component, h, render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { dropToken, keepToken, PAGE, session, store, trouble, useStore } from "./api.js";
import { Button, Field, html, Loading, Notice, Page, Problem } from "./parts.js";

const ID = "([A-Za-z0-9_.-]+)";
const VIEWS = [
  ["", () => import("./overview.js"), "Overview"],
  ["refreshes", () => import("./refreshes.js"), "Refreshes"],
  [`refreshes/${ID}`, () => import("./refreshes.js"), "Refresh"],
  ["connections", () => import("./connections.js"), "Connections"],
  [`connections/${ID}`, () => import("./connection.js"), "ConnectionPage"],
  ["bulk", () => import("./runs.js"), "BulkRuns"],
  [`bulk/${ID}`, () => import("./runs.js"), "BulkRun"],
  ["pushes", () => import("./runs.js"), "Pushes"],
  [`pushes/${ID}`, () => import("./runs.js"), "Push"],
  ["endpoints", () => import("./endpoints.js"), "Endpoints"],
  [`endpoints/${ID}`, () => import("./endpoints.js"), "Endpoint"],
  ["errors", () => import("./errors.js"), "Errors"],
  [`errors/${ID}`, () => import("./errors.js"), "Errors"],
].map(([address, load, name]) => ({ pattern: new RegExp(`^/${address}$`), load, name }));

const MENU = [
  ["", "Overview"],
  ["refreshes", "Refreshes"],
  ["connections", "Connections"],
  ["bulk", "Bulk runs"],
  ["pushes", "Pushes"],
  ["endpoints", "Webhooks"],
  ["errors", "Errors"],
];

// --- the address ------------------------------------------------------------------------------

const route = store(read());

/**
 * The address behind `#`. A token that stands there is taken away at once. It is kept on a person's
 * own machine only: elsewhere a link could sign them in as somebody else without their knowing.
 */
function read() {
  const fragment = location.hash.slice(1);
  if (fragment.startsWith("token=")) {
    const own = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
    if (own) keepToken(decodeURIComponent(fragment.slice("token=".length)));
    history.replaceState(null, "", `${PAGE.pathname}#/`);
    return { path: "/", query: {} };
  }
  const [path, query = ""] = fragment.split("?");
  return {
    path: path.replace(/\/$/, "") || "/",
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

addEventListener("hashchange", () => route.set(read()));

/** Find the view of a path, and the id in it. */
function find(path) {
  for (const { pattern, load, name } of VIEWS) {
    const found = pattern.exec(path);
    if (found) return { load, name, id: found[1] };
  }
  return null;
}

// --- the views --------------------------------------------------------------------------------

function View() {
  const { path, query } = useStore(route);
  const [shown, setShown] = useState({ path: null });
  const given = useRef(query);
  if (shown.path === path) given.current = query; // until then it is another view's
  useEffect(() => {
    let current = true;
    const found = find(path);
    const show = (of) => current && setShown({ path, id: found?.id, ...of });
    if (found) {
      found.load().then(
        (module) => show({ view: module[found.name] }),
        () => show({ view: Outdated }),
      );
    } else {
      show({ view: NoView });
    }
    scrollTo(0, 0);
    return () => {
      current = false;
    };
  }, [path]);
  if (!shown.view) return html`<${Loading} />`;
  // The name is the id of errors.
  return html`<${Guard} key=${shown.path}>${h(shown.view, { id: shown.id, name: shown.id, query: given.current })}<//>`;
}

function NoView() {
  return html`<${Page} title="There is no such page"><p>Choose one from the menu, or go to the <a href="#/">overview</a>.</p><//>`;
}

function Outdated() {
  return html`
    <${Page} title="This page could not be loaded">
      <p>You may be offline, or Freshet was updated since you opened the console.</p>
      <p><${Button} primary onClick=${() => location.reload()}>Load it again<//></p>
    <//>`;
}

/** Shows that a view broke, in its place. */
class Guard extends Component {
  componentDidCatch(fault) {
    reportError(fault);
    this.setState({ fault });
  }

  render({ children }, { fault }) {
    if (!fault) return children;
    return html`
      <${Page} title="This page broke">
        <${Notice} tone="bad"><p>It is a fault of the console: ${fault.message}</p><//>
        <p><${Button} onClick=${() => this.setState({ fault: null })}>Try again<//></p>
      <//>`;
  }
}

// --- the frame --------------------------------------------------------------------------------

function Frame({ config }) {
  const { token, accepted, refused } = useStore(session);
  const person = token && nameOf(token);
  useEffect(() => {
    if (refused && accepted) renew(config);
  }, [refused, accepted]);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <div class=${token ? "frame" : "frame alone"}>
      <header class="top">
        <a class="brand" href="#/">Freshet</a>
        <span class="stage">${config.stage}</span>
        ${token && html`<${Menu} />`}
        ${token && html`<div class="person"><span title="Signed in as">${person}</span><button type="button" class="plain" onClick=${() => signOut(config)}>Sign out</button></div>`}
      </header>
      <main id="main" tabindex="-1">
        <${Banner} />
        ${token ? html`<${View} />` : html`<${SignIn} config=${config} />`}
      </main>
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Menu() {
  const { path } = useStore(route);
  return html`
    <nav aria-label="Views">
      ${MENU.map(([address, name]) => {
        const here = path === `/${address}` || (address && path.startsWith(`/${address}/`));
        return html`<a key=${address} href=${`#/${address}`} aria-current=${here ? "page" : null}>${name}</a>`;
      })}
    </nav>`;
}

function Banner() {
  const { unreachable, until } = useStore(trouble);
  if (unreachable)
    return html`<div class="banner bad" role="status">The API does not answer. Look whether you are online; the page tries again by itself.</div>`;
  if (until)
    return html`<div class="banner warn" role="status">The API is busy. The page goes on by itself at ${new Date(until).toLocaleTimeString()}.</div>`;
  return null;
}

// --- signing in -------------------------------------------------------------------------------

const fault = store(null); // of the last sign-in

function SignIn({ config }) {
  const { refused, accepted } = useStore(session);
  const problem = useStore(fault);
  const [text, setText] = useState("");
  const paste = (event) => {
    event.preventDefault();
    const token = text.trim().replace(/^bearer\s+/i, "");
    if (token) keepToken(token);
  };
  const form = html`
    <form onSubmit=${paste}>
      <${Field} label="Access token" hint="It stays in this tab and is forgotten when you close it.">
        <input type="password" value=${text} onInput=${(event) => setText(event.target.value)} autocomplete="off" spellcheck=${false} required />
      <//>
      <button type="submit" class="button">Use this token</button>
    </form>`;
  return html`
    <div class="sign-in">
      <${Page} title="Sign in">
        <p class="quiet">The console shows what is refreshed for your tenant, how fresh it is, and what needs attention.</p>
        ${refused && html`<${Notice} tone="warn" title=${accepted ? "Your sign-in has ended" : "The API did not take the token"}><p>${accepted ? "Sign in again, and you are back where you were." : refused}</p><//>`}
        <${Problem} problem=${problem} />
        ${
          config.client_id
            ? html`
              <p>You are sent to ${new URL(config.issuer).host} and back.</p>
              <p><${Button} primary onClick=${() => signIn(config)}>Sign in<//></p>
              <details><summary>Use an access token instead</summary>${form}</details>`
            : html`<p>This stage names no client for the console. Paste an access token of its issuer.</p>${form}`
        }
      <//>
    </div>`;
}

async function signIn(config) {
  fault.set(null);
  const { begin, explain } = await import("./sign-in.js");
  await begin(config, location.hash).catch((problem) => fault.set(explain(problem)));
}

/** Sign in again without asking: the API took the token that has ended, so this is no circle. */
function renew(config) {
  if (config.client_id) signIn(config);
}

async function signOut(config) {
  dropToken();
  if (!config.client_id) return;
  const { leave } = await import("./sign-in.js");
  await leave(config).catch(() => {}); // signed out here in any case
}

/** Come back from the issuer: its parameters leave the address before anything is asked. */
async function comeBack(config) {
  const address = new URL(location.href);
  if (!address.searchParams.has("state")) return;
  history.replaceState(null, "", `${PAGE.pathname}${address.hash}`);
  const { explain, finish } = await import("./sign-in.js");
  try {
    const { token, view } = await finish(config, address);
    keepToken(token);
    history.replaceState(null, "", `${PAGE.pathname}${view}`);
    route.set(read());
  } catch (problem) {
    fault.set(explain(problem));
  }
}

/** What a token says of itself, as far as it can be read. The API judges it, not the page. */
function claims(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (each) => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

function nameOf(token) {
  const told = claims(token);
  return told.email ?? told.preferred_username ?? told.name ?? told.username ?? told.sub ?? "";
}

async function start() {
  const root = document.getElementById("app");
  const answer = await fetch(new URL("console/config.json", PAGE)).catch(() => null);
  if (!answer?.ok) {
    render(
      html`<main><${Page} title="The console cannot be reached"><p>Look whether you are online, and load the page again.</p><//></main>`,
      root,
    );
    return;
  }
  const config = await answer.json();
  await comeBack(config);
  render(html`<${Frame} config=${config} />`, root);
}

start();
