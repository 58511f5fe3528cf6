// Drives a browser for another process: a line of JSON asks on standard input, a line answers.
//
// The first line out is `{version}`, or `{missing}` where there is no browser. Then each request is
// `{page, calls}`: the calls are made on the page one after the other, each on what the one before
// gave, as in `[["getByRole", "button"], ["click"]]`. The answer is `{value}` or `{error}`. Names
// are playwright's, but for those in EXTRA. Without a page, `calls` holds one of BROWSER.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { launch, NoBrowser } from "./browser.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TIMEOUT = 20_000;
const pages = new Map();

const BROWSER = {
  async open(options) {
    const context = await browser.newContext({
      locale: "en-GB",
      reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(TIMEOUT);
    await context.addInitScript(inPage);
    const page = await context.newPage();
    const number = pages.size;
    pages.set(number, { page, seen: watch(page) });
    return number;
  },
};

const EXTRA = {
  seen: ({ seen }) => seen,
  close: ({ page }) => page.context().close(),

  /** Waits until a request whose address has this part has been sent, if none was. */
  async sent({ page, seen }, part) {
    const isIt = (url) => url.includes(part);
    if (seen.requests.some(({ url }) => isIt(url))) return;
    await page.waitForRequest((request) => isIt(request.url()));
  },

  /** Answers the next `times` requests to a pattern of addresses itself. */
  answer: ({ page }, pattern, times, response) =>
    page.route(pattern, (route) => route.fulfill(response), { times }),

  /** Hides the tab, or shows it again. */
  hide: ({ page }, hidden) =>
    page.evaluate((now) => {
      globalThis.isHidden = now;
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden),

  /** What rules of accessibility the page breaks, of all or of these. A script tag would be stopped by its policy. */
  async axe({ page }, rules) {
    if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
    const options = rules ? { runOnly: rules } : {};
    const { violations } = await page.evaluate((given) => globalThis.axe.run(given), {
      resultTypes: ["violations"],
      preload: false,
      ...options,
    });
    return violations.map(({ id, impact, nodes }) => ({
      rule: id,
      impact,
      where: nodes.map((node) => node.html),
    }));
  },
};

// Runs in each page before its own scripts.
function inPage() {
  document.addEventListener("securitypolicyviolation", (event) => {
    // biome-ignore lint/suspicious/noConsole: this is how a page tells what watches it
    console.error(`CSP ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
  });
  for (const [name, value] of [
    ["visibilityState", () => (globalThis.isHidden ? "hidden" : "visible")],
    ["hidden", () => Boolean(globalThis.isHidden)],
  ]) {
    Object.defineProperty(document, name, { get: value });
  }
}

// Everything that a page sends and complains of, in its order.
function watch(page) {
  const seen = { requests: [], errors: [] };
  const numbers = new Map();
  const end = (request, more) =>
    Object.assign(seen.requests[numbers.get(request)] ?? {}, { ended: performance.now(), ...more });
  page.on("request", (request) => {
    numbers.set(request, seen.requests.length);
    const key = request.headers()["idempotency-key"];
    const sent = performance.now();
    seen.requests.push({ method: request.method(), url: request.url(), key, sent });
  });
  page.on("response", (response) => end(response.request(), { status: response.status() }));
  page.on("requestfinished", (request) => end(request));
  page.on("requestfailed", (request) => end(request, { failure: request.failure()?.errorText }));
  page.on("pageerror", (error) => seen.errors.push(String(error.stack)));
  page.on("console", (message) => {
    if (message.type() === "error") seen.errors.push(message.text());
  });
  return seen;
}

async function run({ page, calls }) {
  const [[first, ...args]] = calls;
  if (page === null) return BROWSER[first](...args);
  const found = pages.get(page);
  if (first in EXTRA) return EXTRA[first](found, ...args);
  let on = found.page;
  for (const [name, ...given] of calls) {
    on = typeof on[name] === "function" ? await on[name](...given) : on[name];
  }
  return on;
}

function tell(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

let browser;
try {
  browser = await launch();
} catch (error) {
  if (!(error instanceof NoBrowser)) throw error;
  tell({ missing: error.message });
}
if (browser) {
  tell({ version: browser.version() });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const value = await run(JSON.parse(line));
      tell({ value: isPlain(value) ? value : null });
    } catch (error) {
      tell({ error: error.message });
    }
  }
  await browser.close();
}

// What is no plain value, as a response, says nothing across a pipe.
function isPlain(value) {
  return typeof value !== "object" || [Object, Array].includes(value?.constructor);
}
