// What the views are made of. Each is a function of its properties; texts are never markup.

import htm from "htm";
import { h } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { store, useErrors, useStore, visible } from "./api.js";

export { useEffect, useId, useRef, useState } from "preact/hooks";

export const html = htm.bind(h);

// --- words ------------------------------------------------------------------------------------

const TONES = {
  good: ["published", "done", "connected", "delivered", "enabled", "fresh", "sent", "completed"],
  live: [
    "running",
    "admitted",
    "refreshing",
    "listing",
    "sending",
    "accepted",
    "started",
    "pending",
  ],
  warn: [
    "partial",
    "partly_fresh",
    "stale",
    "incomplete",
    "paused",
    "failing",
    "cooling_down",
    "unknown_outcome",
    "provider_paused",
    "consent_missing",
    "busy",
    "expired",
  ],
  bad: [
    "failed",
    "reauth_required",
    "interaction_required",
    "disabled",
    "connection_refused",
    "operator",
    "provider_failed",
    "platform_failed",
    "refused",
  ],
};
const TONE = Object.fromEntries(
  Object.entries(TONES).flatMap(([tone, words]) => words.map((word) => [word, tone])),
);

/** A name of the API as words: `reauth_required` is "reauth required". */
export function words(name) {
  return String(name ?? "").replaceAll("_", " ");
}

/** A state as a word, with a colour for those who see it. */
export function Status({ of, tone = TONE[of] ?? "none" }) {
  return html`<span class="status ${tone}">${words(of)}</span>`;
}

// --- time -------------------------------------------------------------------------------------

const now = store(Date.now());
setInterval(() => visible.get() && now.set(Date.now()), 1000);

const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

/** Seconds in words of at most two units: "42 s", "3 min 10 s", "2 h 5 min", "12 d". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60)
    return seconds > 0 && seconds < 10 ? `${Math.round(seconds * 10) / 10} s` : `${whole} s`;
  const place = UNITS.findIndex(([size]) => whole >= size);
  const [size, unit] = UNITS[place];
  const [below, word] = UNITS[place + 1] ?? [1, "s"];
  const rest = Math.floor((whole % size) / below);
  const many = Math.floor(whole / size);
  return rest && many < 10 ? `${many} ${unit} ${rest} ${word}` : `${many} ${unit}`;
}

/** The seconds from an instant until now; a component that calls it follows the clock. */
export function useSeconds(at) {
  const seconds = Math.round((useStore(now) - Date.parse(at)) / 1000);
  return Number.isNaN(seconds) ? null : seconds;
}

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const SHORT = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** An instant by the clock of the person. */
export function Time({ at }) {
  if (!at) return html`<span class="none">–</span>`;
  const instant = new Date(at);
  return html`<time datetime=${at} title=${`${FULL.format(instant)} (${at})`}>${SHORT.format(instant)}</time>`;
}

/** How old something is: "3 min". */
export function Age({ at }) {
  const seconds = useSeconds(at);
  if (seconds === null) return html`<span class="none">–</span>`;
  return html`<time datetime=${at} title=${FULL.format(new Date(at))}>${duration(seconds)}</time>`;
}

/** When something was or will be: "3 min ago", "in 2 h". */
export function Ago({ at }) {
  const seconds = useSeconds(at);
  if (seconds === null) return html`<span class="none">–</span>`;
  const told =
    seconds < 0
      ? `in ${duration(-seconds)}`
      : seconds < 2
        ? "just now"
        : `${duration(seconds)} ago`;
  return html`<time datetime=${at} title=${FULL.format(new Date(at))}>${told}</time>`;
}

// --- a view -----------------------------------------------------------------------------------

let first = true;

/** A view: its one heading, which gets the focus when a person comes here, and what can be done. */
export function Page({ title, above, actions, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Freshet`;
  }, [title]);
  useEffect(() => {
    if (!first) heading.current.focus({ preventScroll: true });
    first = false;
  }, []);
  return html`
    <header class="page">
      <div>
        ${above && html`<p class="above">${above}</p>`}
        <h1 tabindex="-1" ref=${heading}>${title}</h1>
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}`;
}

/** Tell those who do not see the page, once. For ends only. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** A part of a view under its own heading. */
export function Section({ title, aside, children }) {
  const id = useId();
  return html`
    <section aria-labelledby=${id}>
      <div class="section"><h2 id=${id}>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</div>
      ${children}
    </section>`;
}

/** Terms and what they are, in pairs; a pair whose second is null is left out. */
export function Facts({ of }) {
  const told = of.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return html`<dl class="facts">${told.map(([term, value]) => html`<div key=${term}><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What a resource of `useResource` or `useFollowed` has: its data, or why there are none yet. */
export function Loaded({ of, children }) {
  if (of.data !== null)
    return html`${of.problem && html`<${Problem} problem=${of.problem} retry=${of.reload} />`}${children(of.data)}`;
  if (of.problem) return html`<${Problem} problem=${of.problem} retry=${of.reload} />`;
  return html`<${Loading} />`;
}

/** That something is on its way, shown where it takes long. */
export function Loading() {
  return html`<p class="loading" role="status">Loading …</p>`;
}

/** That there is nothing, and what to do about it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

/** A box with a message; `tone` is good, live, warn or bad. */
export function Notice({ tone = "none", title, children, alert = false }) {
  return html`
    <div class="notice ${tone}" role=${alert ? "alert" : null}>
      ${title && html`<p class="title">${title}</p>`}
      ${children}
    </div>`;
}

// --- ids, tables ------------------------------------------------------------------------------

const SHOWN = 12;

/** An id, cut where it need not be `full`; a link where it has an address `to`, as `#/refreshes/…`. */
export function Id({ id, to, full = false }) {
  if (!id) return html`<span class="none">–</span>`;
  const text = full || id.length <= SHOWN + 1 ? id : `${id.slice(0, SHOWN)}…`;
  return html`<span class="id">${to ? html`<a href=${to} title=${id}>${text}</a>` : html`<span title=${id}>${text}</span>`}${full && html`<${Copy} text=${id} />`}</span>`;
}

function Copy({ text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return html`<button type="button" class="copy" onClick=${copy} aria-label=${`Copy ${text}`}>${done ? "copied" : "copy"}</button>`;
}

/**
 * A table. `columns` are `{name, of: (row) => cell, number?, wide?, key?}`, `keyOf` gives a row's
 * key, `empty` stands there without rows. On a narrow screen each row is a card.
 */
export function Table({ caption, columns, rows, keyOf = (row) => row, empty, shown = false }) {
  if (rows.length === 0) return empty ?? html`<${Empty} title="Nothing here" />`;
  const kind = ({ number, wide }) =>
    [number && "number", wide && "wide"].filter(Boolean).join(" ") || null;
  // The roles stay where a narrow screen shows rows as cards.
  return html`
    <table role="table">
      <caption class=${shown ? null : "hidden"}>${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">${columns.map((each) => html`<th scope="col" role="columnheader" key=${each.name} class=${kind(each)}>${each.name}</th>`)}</tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row) => html`
            <tr role="row" key=${keyOf(row)}>
              ${columns.map((each) => html`<td role="cell" key=${each.name} data-label=${each.name} class=${kind(each)}><div>${each.of(row)}</div></td>`)}
            </tr>`,
        )}
      </tbody>
    </table>`;
}

/** The rest of a list of `useList`: why it is not there, and the button for its next page. */
export function More({ list }) {
  return html`
    ${list.problem && html`<${Problem} problem=${list.problem} retry=${list.reload} />`}
    ${list.loading && !list.known && html`<${Loading} />`}
    ${list.more && html`<p class="more"><${Button} onClick=${list.more} busy=${list.loading}>Show more<//></p>`}`;
}

// --- what is wrong ----------------------------------------------------------------------------

export const WHO = {
  application: "Your application acts.",
  user: "The person whose data it is acts.",
  operator: "The operator of this stage acts.",
  maintainers: "The maintainers of Freshet act.",
};

/** Why something failed: what, who acts, and what to do. `error` is an `ErrorOut` of the API. */
export function ErrorNote({ error, compact = false }) {
  const known = useErrors().find(error?.name);
  if (!error) return null;
  const help = html`<a href=${`#/errors/${error.name}`}>${error.name}</a>`;
  if (compact) return html`<span class="error"><span>${error.detail}</span> ${help}</span>`;
  return html`
    <${Notice} tone="bad" title=${error.detail}>
      ${known && html`<p>${WHO[known.who_acts]} ${known.to_do !== error.detail && known.to_do}</p>`}
      <p class="small">${help}</p>
    <//>`;
}

/** An answer of the API that is no success, or a fault of the page. */
export function Problem({ problem, retry }) {
  const known = useErrors().find(problem?.type);
  if (!problem) return null;
  const { title = "Something went wrong", detail = problem.message, action } = problem;
  const adds = known && action !== "fix_request" && known.to_do !== detail;
  return html`
    <${Notice} tone="bad" title=${detail || title} alert>
      ${adds && html`<p>${known.to_do}</p>`}
      ${known && html`<p class="small"><a href=${`#/errors/${known.name}`}>${known.name}</a></p>`}
      ${retry && html`<p><${Button} onClick=${retry}>Try again<//></p>`}
    <//>`;
}

// --- what can be done -------------------------------------------------------------------------

/** A button; it is busy while what `onClick` has begun goes on. */
export function Button({
  onClick,
  danger,
  primary,
  busy = false,
  disabled = false,
  type = "button",
  children,
}) {
  const [going, setGoing] = useState(false);
  const idle = !going && !busy && !disabled;
  const click = async (event) => {
    if (!idle) {
      event.preventDefault();
      return;
    }
    setGoing(true);
    try {
      await onClick?.(event);
    } finally {
      setGoing(false);
    }
  };
  const kind = ["button", danger && "danger", primary && "primary"].filter(Boolean).join(" ");
  return html`<button type=${type} class=${kind} onClick=${click} aria-disabled=${idle ? null : "true"} aria-busy=${going || busy ? "true" : null}>${children}</button>`;
}

/**
 * A button that asks once more. Where `typed` is a text, the person has to type it first.
 * `onConfirm` may take time; what it throws is shown in the dialog.
 */
export function Confirm({ label, title = label, text, typed, danger = false, onConfirm }) {
  const dialog = useRef(null);
  const id = useId();
  const [given, setGiven] = useState("");
  const [problem, setProblem] = useState(null);
  const open = () => {
    setGiven("");
    setProblem(null);
    dialog.current.showModal();
  };
  const confirm = async (event) => {
    event.preventDefault();
    if (typed && given.trim() !== typed) return;
    try {
      await onConfirm();
      dialog.current?.close();
    } catch (fault) {
      setProblem(fault);
    }
  };
  return html`
    <${Button} onClick=${open} danger=${danger}>${label}<//>
    <dialog ref=${dialog} aria-labelledby=${id}>
      <form class="ask" onSubmit=${(event) => event.preventDefault()}>
        <h2 id=${id}>${title}</h2>
        <p>${text}</p>
        ${typed && html`<${Field} label=${html`Type <code>${typed}</code> to confirm`}><input value=${given} onInput=${(event) => setGiven(event.target.value)} autocomplete="off" spellcheck=${false} /><//>`}
        <${Problem} problem=${problem} />
        <div class="actions">
          <${Button} onClick=${() => dialog.current.close()}>Back<//>
          <${Button} type="submit" onClick=${confirm} danger=${danger} primary=${!danger} disabled=${Boolean(typed) && given.trim() !== typed}>${label}<//>
        </div>
      </form>
    </dialog>`;
}

/** A label over what is filled in: the one child is an input, a select or a textarea. */
export function Field({ label, hint, children }) {
  return html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;
}

const readView = () => location.hash.split("?")[0];

/** A text to look for: it is given to `onChange` when it is complete, not letter by letter. */
export function Search({ label, value = "", placeholder, onChange }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const [view] = useState(readView);
  const finish = (event) => {
    // A browser tells of a change also as the field is taken away, with its view.
    if (readView() === view) onChange(event.target.value.trim());
  };
  return html`
    <${Field} label=${label}>
      <input type="search" placeholder=${placeholder} value=${text} onInput=${(event) => setText(event.target.value)} onChange=${finish} />
    <//>`;
}

/** A choice; `options` are values, or pairs of a value and its text. */
export function Select({ label, value, options, onChange }) {
  return html`
    <${Field} label=${label}>
      <select value=${value} onChange=${(event) => onChange(event.target.value)}>
        ${options.map((each) => {
          const [of, text] = Array.isArray(each) ? each : [each, words(each)];
          return html`<option key=${of} value=${of} selected=${of === value}>${text}</option>`;
        })}
      </select>
    <//>`;
}

/**
 * What a person does: `{busy, problem, told, run}`. `run(act)` awaits `act()`; the text that it
 * gives is told, or the problem that it throws.
 */
export function useAction() {
  const [state, setState] = useState({ busy: false, problem: null, told: null });
  const run = async (act) => {
    setState({ busy: true, problem: null, told: null });
    try {
      const told = (await act()) ?? null;
      setState({ busy: false, problem: null, told });
      if (told) announce(told);
    } catch (problem) {
      setState({ busy: false, problem, told: null });
    }
  };
  return { ...state, run };
}

/** What came of an action of `useAction`. */
export function Outcome({ of }) {
  if (of.problem) return html`<${Problem} problem=${of.problem} />`;
  return of.told && html`<p class="done">${of.told}</p>`;
}

/** A text to take away whole: a link, a secret, a receipt. `opens`: it is a link that can be opened. */
export function Secret({ label, value, opens = false }) {
  return html`
    <div class="secret">
      <${Field} label=${label}><input readonly value=${value} onFocus=${(event) => event.target.select()} /><//>
      <${Copy} text=${value} />
      ${opens && html`<a class="button" href=${value} target="_blank" rel="noreferrer">Open</a>`}
    </div>`;
}
