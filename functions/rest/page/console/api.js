// What the page asks of the API: the token, attempts, pages by cursor, long polls.
// A path is from /v1 on, as in "refreshes/ref_1"; a slash before it changes nothing.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

export const PAGE = new URL(document.baseURI);
PAGE.hash = PAGE.search = "";

const API = new URL("./", PAGE);
const TOKEN = "freshet.token";
const ATTEMPTS = 4;
const MOST_WAIT = 30; // seconds; what is to be waited for longer is said to the person
const HOLD = 20; // seconds for which a long poll is held
const SHORTEST_HOLD = 8; // where something changes before that
const OPEN = ["errors", "receipt-keys"]; // asked without the token, so that they say nothing of it
const MOST_POLLS = 4; // each holds a function of the API

/** A value that components can follow by `useStore`. */
export function store(value) {
  const followers = new Set();
  return {
    followers,
    get: () => value,
    set(next) {
      value = next;
      for (const follow of followers) follow(() => value);
    },
  };
}

/** What a store holds, now and whenever that changes. */
export function useStore({ followers, get }) {
  const [now, follow] = useState(get);
  useEffect(() => {
    followers.add(follow);
    follow(get);
    return () => followers.delete(follow);
  }, [followers]);
  return now;
}

/** `{token, accepted, refused}`: whether the API has taken the token, and why it does not. */
export const session = store({ token: sessionStorage.getItem(TOKEN) });

/** Keep a token for as long as this tab is open. */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
  session.set({ token });
}

/** Forget the token; `refused` is why the API does not take it, `accepted` whether it ever did. */
export function dropToken({ refused = null, accepted = false } = {}) {
  sessionStorage.removeItem(TOKEN);
  session.set({ token: null, refused, accepted });
}

/** `{unreachable, until}`: what the banner says; `until` is when a throttled request is repeated. */
export const trouble = store({ unreachable: false, until: null });

/** What the API answered instead; `status` 0 where there was no answer. */
export class Problem extends Error {
  constructor({ status, title, detail, type, action, help, ...more }, retryAfter = null) {
    super(detail || title);
    Object.assign(this, { status, title, detail, type, action, help, more, retryAfter });
  }
}

const UNREACHABLE = {
  status: 0,
  title: "The API cannot be reached",
  detail: "No answer came. Look whether you are online; the page goes on by itself.",
};

const FOREIGN = {
  status: 0,
  title: "Something else than the API has answered",
  detail:
    "Something else than the API has answered, perhaps a page of your network. Look whether you are online, and load the page again.",
};

/**
 * Ask the API and give its JSON, null where it answers without a body.
 *
 * A POST has an Idempotency-Key, `key` or a new one, which all its attempts share. A request that
 * was not taken in (429, 503, no answer) is repeated; a PATCH only where it is sure not to have
 * been done. Throws `Problem`, or the signal's AbortError.
 */
export async function ask(method, path, { query = {}, body, key, signal } = {}) {
  const address = path.replace(/^\//, "");
  const url = new URL(address, API);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const token = OPEN.includes(address) ? null : session.get().token;
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method === "POST") headers["Idempotency-Key"] = key ?? crypto.randomUUID();
  const request = { method, headers, signal, credentials: "omit", body: JSON.stringify(body) };
  for (let attempt = 1; ; attempt++) {
    const last = attempt === ATTEMPTS;
    const answer = await fetch(url, request).catch((error) => {
      if (signal?.aborted) throw error;
      return null;
    });
    if (answer === null) {
      trouble.set({ unreachable: true, until: null });
      if (last || method === "PATCH") throw new Problem(UNREACHABLE);
      await pause(2 ** attempt, signal);
      continue;
    }
    if (answer.ok) {
      if (trouble.get().unreachable || trouble.get().until) {
        trouble.set({ unreachable: false, until: null });
      }
      if (token && !session.get().accepted && session.get().token === token) {
        session.set({ token, accepted: true });
      }
      if (answer.status === 204) return null;
      return answer.json().catch((error) => {
        throw signal?.aborted ? error : new Problem(FOREIGN);
      });
    }
    const problem = await read(answer);
    if (answer.status === 401 && session.get().token === token) {
      dropToken({ refused: problem.message, accepted: session.get().accepted });
    }
    const wait = problem.retryAfter ?? 2 ** attempt;
    if (last || !isPassing(problem, method) || wait > MOST_WAIT) throw problem;
    trouble.set({ unreachable: false, until: Date.now() + wait * 1000 });
    await pause(wait, signal);
  }
}

async function read(answer) {
  const text = await answer.text();
  const after = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // A proxy's page, perhaps: the status has to do.
  }
  const title = told.title ?? `The API answered ${answer.status}`;
  return new Problem({ ...told, title, status: answer.status }, Number.isNaN(after) ? null : after);
}

/** Whether to ask again is in vain: it is not there, or not for this person. */
const isFinal = (problem) => [401, 403, 404, 410].includes(problem?.status);

/** Whether the API itself is busy. What a provider does not take yet has another type. */
function isPassing({ status, type = "" }, method) {
  if (status === 429) return type.endsWith(":throttled");
  return status === 503 && method !== "PATCH" && (!type || type.endsWith(":unavailable"));
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Whether the tab is looked at. */
export const visible = store(document.visibilityState === "visible");
document.addEventListener("visibilitychange", () =>
  visible.set(document.visibilityState === "visible"),
);

const returns = store(0); // how often the network has come back
addEventListener("online", () => returns.set(returns.get() + 1));

/**
 * Read one thing: `{data, problem, loading, reload}`. With `every` it is read again so many seconds
 * after each answer, and when the tab is looked at again, unless it is `held`. A null path reads
 * nothing.
 */
export function useResource(path, { query, every, held = false } = {}) {
  const [state, setState] = useState({ data: null, problem: null, loading: path !== null });
  const [turn, setTurn] = useState(0);
  const seen = useStore(visible);
  const returned = useStore(returns);
  const reload = useCallback(() => setTurn((now) => now + 1), []);
  const asked = JSON.stringify([path, query]);
  const last = useRef(asked);
  useEffect(() => {
    if (path === null || held || (every && !seen)) return undefined;
    const stop = new AbortController();
    let timer;
    const other = last.current !== asked;
    last.current = asked;
    const show = (told) => {
      if (stop.signal.aborted) return;
      setState((now) => ({ ...now, problem: null, ...told, loading: false }));
      if (every && !isFinal(told.problem)) timer = setTimeout(reload, every * 1000);
    };
    setState((now) => ({ ...(other ? { data: null, problem: null } : now), loading: true }));
    ask("GET", path, { query, signal: stop.signal }).then(
      (data) => show({ data }),
      (problem) => show({ problem }),
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, turn, held, every, every && seen, returned]);
  return { ...state, reload };
}

/**
 * Read a list page by page: `{items, more, known, loading, problem, reload}`. `more` reads the next
 * page and is null after the last. With `every` the first page is read again while it is the only
 * one: others would no longer follow on it.
 */
export function useList(path, query, { every } = {}) {
  const asked = JSON.stringify([path, query]);
  const [rest, setRest] = useState({});
  const forget = () => setRest({ asked, items: [], cursor: null });
  useEffect(forget, [asked]);
  const [state, setState] = useState({ loading: false, problem: null });
  const held = rest.asked === asked && rest.items.length > 0;
  const first = useResource(path, { query, every, held });
  const more = held ? rest : { items: [], cursor: first.data?.next_cursor };
  const items = useMemo(() => [...listed(first.data), ...more.items], [first.data, rest, held]);
  const readMore = async () => {
    setState({ loading: true, problem: null });
    try {
      const page = await ask("GET", path, { query: { ...query, cursor: more.cursor } });
      setRest({ asked, items: [...more.items, ...listed(page)], cursor: page.next_cursor });
      setState({ loading: false, problem: null });
    } catch (problem) {
      setState({ loading: false, problem });
    }
  };
  const reload = useCallback(() => {
    forget();
    first.reload();
  }, [asked]);
  return {
    items,
    more: more.cursor ? readMore : null,
    known: first.data !== null,
    loading: first.loading || state.loading,
    problem: first.problem ?? state.problem,
    reload,
  };
}

function listed(page) {
  return Object.values(page ?? {}).find(Array.isArray) ?? [];
}

/**
 * Follow one thing until `ended(data)`, by long polls on its `version`: `{data, problem, reload}`.
 * `initial` is what is known already, so that nothing is read at first. A hidden tab asks nothing.
 */
export function useFollowed(path, { ended, initial = null } = {}) {
  const [data, setData] = useState(initial);
  const [problem, setProblem] = useState(null);
  const [turn, setTurn] = useState(0);
  const known = useRef({ path, data: initial });
  const seen = useStore(visible);
  useEffect(() => {
    if (path === null || !seen) return undefined;
    if (known.current.path !== path) {
      known.current = { path, data: initial };
      setData(initial);
    }
    const stop = new AbortController();
    const follow = async () => {
      while (!stop.signal.aborted) {
        const now = known.current.data;
        if (now && ended(now)) return;
        try {
          const next = now
            ? await poll(path, now, stop.signal)
            : await ask("GET", path, { signal: stop.signal });
          if (stop.signal.aborted) return;
          known.current.data = next;
          setData(next);
          setProblem(null);
        } catch (error) {
          if (stop.signal.aborted) return;
          setProblem(error);
          if (isFinal(error)) return;
          await pause(5, stop.signal).catch(() => {});
        }
      }
    };
    follow();
    return () => stop.abort();
  }, [path, seen, turn]);
  const reload = useCallback(() => {
    known.current.data = null;
    setTurn((now) => now + 1);
  }, []);
  return { data, problem, loading: data === null && problem === null, reload };
}

let polls = 0;
const waiting = [];

/** For how many seconds to hold a long poll: to just after a look, as its answer names the next. */
function holdUntil(look) {
  const seconds = Math.ceil((Date.parse(look) - Date.now()) / 1000) + 1;
  return Math.min(HOLD, Math.max(SHORTEST_HOLD, seconds || HOLD));
}

/** One long poll, when fewer than four are under way. */
async function poll(path, { version, next_look_at: look }, signal) {
  if (polls >= MOST_POLLS) {
    await new Promise((go, refuse) => {
      waiting.push(go);
      signal.addEventListener(
        "abort",
        () => {
          const place = waiting.indexOf(go);
          if (place >= 0) waiting.splice(place, 1);
          refuse(signal.reason);
        },
        { once: true },
      );
    });
  } else {
    polls += 1;
  }
  try {
    signal.throwIfAborted();
    return await ask("GET", path, {
      query: { wait: holdUntil(look), since_version: version },
      signal,
    });
  } finally {
    // The turn goes to the one that waits longest.
    const next = waiting.shift();
    if (next) next();
    else polls -= 1;
  }
}

let table = null;

/** The errors that the API names, and `find(name or type of a problem)`, once they are read. */
export function useErrors() {
  const [{ errors, problem }, set] = useState({ errors: [], problem: null });
  const { token } = useStore(session);
  useEffect(() => {
    if (!token) return; // the page to sign in has problems, too
    table ??= ask("GET", "errors");
    table.then(set, (fault) => {
      table = null; // the next that needs it asks again
      set({ errors: [], problem: fault });
    });
  }, [token]);
  const find = (name) => errors.find((each) => each.name === name || each.type === name);
  return { errors, problem, find };
}
