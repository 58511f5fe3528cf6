// Refreshes: the list, and one refresh from the request for it to what it has published.
import { ask, useErrors, useFollowed, useList, useResource } from "./api.js";
import { Bar, span } from "./charts.js";
import { PART_COLUMNS, Preview } from "./connection.js";
import { describeCoverage, nameProvider, nameStarter, PROVIDER_OPTIONS } from "./connections.js";
import {
  Age,
  announce,
  Button,
  Confirm,
  duration,
  Empty,
  ErrorNote,
  Facts,
  html,
  Id,
  Loaded,
  More,
  Outcome,
  Page,
  Problem,
  Search,
  Section,
  Select,
  Status,
  Table,
  Time,
  useAction,
  useEffect,
  useSeconds,
  useState,
  words,
} from "./parts.js";

const SHOWN = 10; // changed records of a dataset
const STATES = ["admitted", "running", "published", "partial", "failed", "cancelled"];

export const hasEnded = ({ status }) => !["admitted", "running"].includes(status);
export const isPublished = ({ status }) => ["published", "partial"].includes(status);

const between = (from, to) => (from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : null);

/** How many seconds a refresh has taken; null while it runs. */
export const measure = ({ requested_at: from, ended_at: to }) => between(from, to);

const count = (number) => (number ?? 0).toLocaleString();
const sum = (counts) => Object.values(counts).reduce((one, other) => one + other, 0);

// --- in words ---------------------------------------------------------------------------------

/** What an event tells, by its type and facts. */
const STEPS = {
  admitted: ({ reason }) => `The refresh was asked for by ${nameStarter(reason)}.`,
  triggering: ({ attempt }) =>
    `The provider is asked to update its data${attempt > 1 ? `, attempt ${attempt}` : ""}.`,
  triggered: ({ dataset }) => `The provider has begun${dataset ? ` with ${dataset}` : ""}.`,
  postponed: ({ error, wait_seconds: wait }) =>
    html`Put off for ${duration(wait)}: <${Fault} name=${error} />`,
  lost: () => "The provider does not know the job any more. It is asked anew.",
  ready: ({ looks, noticed_within_seconds: late }) =>
    `Look ${looks} saw that the provider was done${late >= 0 ? `, at most ${duration(late)} late` : ""}.`,
  unfinished: ({ looks }) =>
    `At the deadline, after ${looks} looks, the provider was not done. What was there was fetched.`,
  published: () => "All data were fetched and published.",
  partial: () => "What there was is fetched and published.",
  failed: () => "It failed. Nothing was published.",
  cancelled: () => "It was cancelled. Nothing was published.",
};

/** An error that an event names: what it means, and a link to what to do. */
function Fault({ name }) {
  const { detail = "" } = useErrors().find(name) ?? {};
  return html`<${ErrorNote} error=${{ name, detail }} compact />`;
}

const ENDS = {
  published: "The data are published, and all of them are fresh.",
  partial: "The data are published, but some of them are not fresh: see below what, and why.",
  failed: "Nothing was published. What was published before still stands.",
  cancelled: "Nothing was published. What was published before still stands.",
};

/** When something that is planned comes. */
function In({ at }) {
  const ago = useSeconds(at);
  return ago === null || ago >= 0 ? "now" : `in ${duration(-ago)}`;
}

/** What a refresh waits for, or what has come of it, in a sentence. */
function Told({ refresh }) {
  const { status, waits_for: waits, next_look_at: look, next_try_at: again } = refresh;
  const looksLater = useSeconds(look) < 0;
  if (hasEnded(refresh)) return ENDS[status];
  if (waits === "user")
    return html`It waits until the user has signed in at the provider. It asks again <${In} at=${again} />.`;
  if (waits === "pause")
    return html`The provider cannot take it yet. It is asked again <${In} at=${again} />.`;
  if (waits && looksLater)
    return html`The provider updates its data. Freshet looks again <${In} at=${look} />.`;
  if (waits) return "The provider updates its data, or they are being fetched.";
  return "It begins in a moment.";
}

// --- the list ---------------------------------------------------------------------------------

/** The state of a refresh; while it runs it is followed, and `onEnd` is told of its end. */
function Live({ refresh: given, onEnd }) {
  const { data } = useFollowed(hasEnded(given) ? null : `refreshes/${given.refresh_id}`, {
    ended: hasEnded,
    initial: given,
  });
  const refresh = data?.version >= given.version ? data : given;
  const ended = hasEnded(refresh) && !hasEnded(given);
  useEffect(() => {
    if (ended) onEnd();
  }, [ended]);
  return html`
    <${Status} of=${refresh.status} />
    ${!hasEnded(refresh) && html`<div class="quiet"><${Told} refresh=${refresh} /></div>`}
    ${refresh.error && html`<div class="quiet"><${ErrorNote} error=${refresh.error} compact /></div>`}
    ${isPublished(refresh) && html`<div class="quiet">${describeCoverage(refresh.coverage)}; ${count(sum(refresh.records_read))} records read</div>`}`;
}

/** The columns of a table of refreshes; `onEnd` is called as one of them ends. */
export const listColumns = (onEnd) => [
  {
    name: "Asked for",
    of: (one) =>
      html`<a href=${`#/refreshes/${one.refresh_id}`}><${Time} at=${one.requested_at} /></a>`,
  },
  {
    name: "Connection",
    of: ({ provider, connection_id: id }) =>
      html`<div>${nameProvider(provider)}</div><${Id} id=${id} to=${`#/connections/${id}`} />`,
  },
  { name: "State", wide: true, of: (one) => html`<${Live} refresh=${one} onEnd=${onEnd} />` },
  { name: "Took", number: true, of: (one) => (hasEnded(one) ? span(measure(one)) : "–") },
  {
    name: "Lateness",
    number: true,
    of: ({ noticed_within_seconds: late }) => (late >= 0 ? `≤ ${duration(late)}` : "–"),
  },
  { name: "Oldest data", number: true, of: ({ as_of: asOf }) => html`<${Age} at=${asOf} />` },
];

export const byId = ({ refresh_id: id }) => id;

/** The list; its filters stand in the address. */
export function Refreshes({ query: filters }) {
  const list = useList("refreshes", filters);
  const isFiltered = Object.values(filters).some(Boolean);
  const empty = isFiltered
    ? html`<${Empty} title="No refresh fits these filters" />`
    : html`<${Empty} title="Nothing has been refreshed yet">Open a connection and refresh it.<//>`;
  return html`
    <${Page} title="Refreshes">
      <p class="lead">
        A refresh has a provider update the data of one connection, waits until that is done, fetches the data
        and publishes them. Those that run move by themselves.
      </p>
      <${Filters} chosen=${filters} />
      ${list.known && html`<${Table} caption="Refreshes, newest first" columns=${listColumns(list.reload)} rows=${list.items} keyOf=${byId} empty=${list.more ? html`<p>None on this page.</p>` : empty} />`}
      <${More} list=${list} />
    <//>`;
}

function Filters({ chosen }) {
  const set = (name) => (value) => {
    const given = Object.entries({ ...chosen, [name]: value }).filter(([, each]) => each);
    location.hash = `#/refreshes?${new URLSearchParams(given)}`;
  };
  return html`
    <form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
      <${Select} label="Provider" value=${chosen.provider ?? ""} onChange=${set("provider")} options=${[["", "all"], ...PROVIDER_OPTIONS]} />
      <${Select} label="State" value=${chosen.status ?? ""} onChange=${set("status")} options=${[["", "all"], ...STATES]} />
      <${Search} label="Connection" placeholder="con_…" value=${chosen.connection_id} onChange=${set("connection_id")} />
    </form>`;
}

// --- one refresh ------------------------------------------------------------------------------

export function Refresh({ id }) {
  const followed = useFollowed(`refreshes/${id}`, { ended: hasEnded });
  const { data: refresh, reload } = followed;
  const runs = refresh && !hasEnded(refresh);
  const [hasRun, setHasRun] = useState(false);
  useEffect(() => {
    if (runs) setHasRun(true);
    else if (refresh && hasRun)
      announce(`The refresh is ${words(refresh.status)}. ${ENDS[refresh.status]}`);
  }, [runs]);
  const title = refresh ? `Refresh at ${nameProvider(refresh.provider)}` : "Refresh";
  return html`
    <${Page} title=${title} above=${html`<${Id} id=${id} full />`} actions=${runs && html`<${Cancel} id=${id} onDone=${reload} />`}>
      <${Loaded} of=${followed}>${() => html`<${Course} refresh=${refresh} />`}<//>
    <//>`;
}

function Cancel({ id, onDone }) {
  const text =
    "Nothing of it is published, for all who have asked for it. What the provider has begun runs on there.";
  const cancel = async () => {
    await ask("POST", `refreshes/${id}/cancel`);
    onDone();
  };
  return html`<${Confirm} label="Cancel this refresh" text=${text} onConfirm=${cancel} danger />`;
}

function Course({ refresh }) {
  return html`
    <p class="outcome"><${Status} of=${refresh.status} /> <${Told} refresh=${refresh} /></p>
    ${
      refresh.error &&
      html`
        <${ErrorNote} error=${refresh.error} />
        <p>On <a href=${`#/connections/${refresh.connection_id}`}>the connection</a> you can have its user sign in again, and refresh it again.</p>`
    }
    <${Section} title=${hasEnded(refresh) ? "How it went" : "How it went so far"}><${Timeline} refresh=${refresh} /><//>
    ${isPublished(refresh) && html`<${NotFresh} refresh=${refresh} />`}
    ${isPublished(refresh) && html`<${Records} refresh=${refresh} />`}
    <${Section} title="About it"><${About} refresh=${refresh} /><//>
    ${isPublished(refresh) && html`<${Section} title="Its receipt"><${Receipt} refresh=${refresh} /><//>`}`;
}

/** The phases of a refresh up to now, in milliseconds, those that take no time left out. */
function findPhases(refresh, now) {
  const [asked, begun, ready, ended] = ["requested_at", "triggered_at", "ready_at", "ended_at"].map(
    (name) => (refresh[name] ? Date.parse(refresh[name]) : null),
  );
  const end = ended ?? Math.max(now, asked);
  const late = (refresh.noticed_within_seconds ?? 0) * 1000;
  const note = `noticed at most ${duration(late / 1000)} late (striped)`;
  const phases = [
    { kind: "waits", name: "Getting the provider to begin", from: asked, to: begun ?? end },
    {
      kind: "works",
      name: "The provider at work",
      from: begun ?? end,
      to: ready ?? end,
      late,
      note: late > 0 && note,
    },
    { kind: "fetches", name: "Fetching and publishing", from: ready ?? end, to: end },
  ];
  return phases.filter(({ kind, from, to }) => kind === "waits" || to > from);
}

function Timeline({ refresh }) {
  const asked = refresh.requested_at;
  const now = Date.parse(asked) + useSeconds(asked) * 1000;
  return html`
    <${Bar} phases=${findPhases(refresh, now)} />
    <ol class="steps">
      ${refresh.events.map(
        (event) => html`
          <li key=${event.version}>
            <span class="when">+ ${span(between(asked, event.at))}</span>
            <span>${STEPS[event.type]?.(event.facts) ?? words(event.type)}</span>
          </li>`,
      )}
      ${!hasEnded(refresh) && html`<li key="now" class="now"><span class="when">now</span><span><${Told} refresh=${refresh} /></span></li>`}
    </ol>
    <details class="fold">
      <summary>The events as they were noted</summary>
      <${Table} caption="Events" rows=${refresh.events} keyOf=${({ version }) => version} columns=${EVENT_COLUMNS} />
    </details>`;
}

const EVENT_COLUMNS = [
  { name: "Version", number: true, of: ({ version }) => version },
  { name: "Event", of: ({ type }) => type },
  { name: "At", of: ({ at }) => at },
  {
    name: "Facts",
    wide: true,
    of: ({ facts }) =>
      Object.entries(facts)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
  },
];

function About({ refresh }) {
  const { connection_id: connection, reason, requested_by: by, datasets, coverage } = refresh;
  const user = useResource(`connections/${connection}`).data?.external_id;
  return html`
    <${Facts} of=${[
      ["Your user's id", user],
      ["Connection", html`<${Id} id=${connection} to=${`#/connections/${connection}`} />`],
      [
        "Other refreshes",
        html`<a href=${`#/refreshes?connection_id=${connection}`}>of this connection</a>`,
      ],
      [
        "Asked for",
        html`<${Time} at=${refresh.requested_at} />, by ${nameStarter(reason)}${by && ` of ${by}`}`,
      ],
      ["Datasets", datasets.join(", ") || "all"],
      ["Took", hasEnded(refresh) && span(measure(refresh))],
      ["Ends at the latest", !hasEnded(refresh) && html`<${Time} at=${refresh.deadline} />`],
      ["Parts", coverage && describeCoverage(coverage)],
      [
        "Oldest data",
        coverage && (refresh.as_of ? html`<${Age} at=${refresh.as_of} />` : "not known"),
      ],
      ["Verdict", refresh.verdict && words(refresh.verdict)],
    ]} />`;
}

function Records({ refresh }) {
  const { connection_id: connection, records_read: read, records_total: total } = refresh;
  const { refresh_id: id, changes_since: since } = refresh;
  const [changed, setChanged] = useState(null);
  const action = useAction();
  const look = (name) =>
    action.run(async () => {
      const path = `connections/${connection}/datasets/${encodeURIComponent(name)}`;
      const { records, refresh_id: now } = await ask("GET", path, {
        query: { since, limit: SHOWN },
      });
      setChanged({ name, records, isOurs: now === id });
    });
  return html`
    <${Section} title="Its records">
      <${Table} caption="Records by dataset" rows=${Object.keys(total)} columns=${[
        { name: "Dataset", of: (name) => name },
        { name: "Read by this refresh", number: true, of: (name) => count(read[name]) },
        { name: "Published in total", number: true, of: (name) => count(total[name]) },
        since && {
          name: "Changes",
          of: (name) => html`<${Button} onClick=${() => look(name)}>Look at changes in ${name}<//>`,
        },
      ].filter(Boolean)} />
      <p class="quiet note">A refresh may read only what has changed: 0 does not mean that there are no data.</p>
      <${Outcome} of=${action} />
      ${
        changed &&
        html`
        <p class="note">${changed.isOurs ? "What it has changed" : "What this refresh and those after it have changed"} in ${changed.name}, the first ${SHOWN} records:</p>
        <${Preview} key=${changed.name} records=${changed.records} title=${changed.name} none="Nothing has changed" />`
      }
    <//>`;
}

/** The parts that are not fresh, as long as this refresh is the one that is published. */
function NotFresh({ refresh: { refresh_id: id, connection_id: connection, datasets, coverage } }) {
  const lacks =
    coverage && coverage.stale + coverage.incomplete + coverage.failed + coverage.gone > 0;
  const read = useResource(lacks ? `connections/${connection}/datasets` : null);
  if (!lacks) return null;
  const isOurs = (part) =>
    part.state !== "fresh" && part.datasets.some((name) => datasets.includes(name));
  const later = html`<p>Another refresh has published since. See <a href=${`#/connections/${connection}`}>the connection</a> for its parts as they are now.</p>`;
  return html`
    <${Section} title="What is not fresh">
      <${Loaded} of=${read}>${(found) =>
        found.refresh_id === id
          ? html`<${Table} caption="Parts that are not fresh" rows=${found.parts.filter(isOurs)} columns=${PART_COLUMNS} />`
          : later}<//>
    <//>`;
}

// --- its receipt ------------------------------------------------------------------------------

const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) =>
    letter.charCodeAt(0),
  );
const parse = (text) => JSON.parse(new TextDecoder().decode(decode(text)));

/** Why a receipt does not prove a refresh; null where it does. */
async function refute(receipt, keys, refresh) {
  const [header, claims, signature] = receipt.split(".");
  const { alg, typ, kid } = parse(header);
  if (alg !== "ES256" || typ !== "freshet-receipt+jwt")
    return "its header is not that of a receipt";
  const { kty, crv, x, y } = keys.find((key) => key.kid === kid) ?? {};
  if (!x) return "none of the published keys has signed it";
  const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, ecdsa, false, ["verify"]);
  const signed = new TextEncoder().encode(`${header}.${claims}`);
  if (!(await crypto.subtle.verify(ecdsa, key, decode(signature), signed)))
    return "its key has not signed this";
  const { jti, sub } = parse(claims);
  return jti === refresh.refresh_id && sub === refresh.connection_id
    ? null
    : "it is of another refresh";
}

function Receipt({ refresh }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const check = async () => {
    const query = { refresh_id: refresh.refresh_id };
    const { receipt, claims } = await ask("GET", `connections/${refresh.connection_id}/receipt`, {
      query,
    });
    const { keys } = await ask("GET", "receipt-keys");
    const fault = await refute(receipt, keys, refresh);
    const told = fault
      ? `Not valid: ${fault}.`
      : "Valid: it is of this refresh, and a key of this stage has signed it.";
    setFound({ receipt, claims, told });
    announce(told);
  };
  return html`
    <p>A signed statement of what was published and how fresh it is. It names no account and no user: hand it on.</p>
    <p class="note">
      ${window.isSecureContext && html`<${Button} onClick=${() => check().catch(setProblem)}>Fetch and verify it<//>`}
      ${found && html` <strong>${found.told}</strong>`}
    </p>
    <${Problem} problem=${problem} />
    ${
      found &&
      html`
        <details class="fold"><summary>What it states</summary><pre>${JSON.stringify(found.claims, null, 2)}</pre></details>
        <details class="fold"><summary>The receipt itself</summary><pre>${found.receipt}</pre></details>`
    }`;
}
