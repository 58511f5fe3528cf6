// The overview: what needs attention and who acts, what runs now, and how fresh the data are.
import { ask, useResource } from "./api.js";
import { Strips, span } from "./charts.js";
import { ACTORS, CAUSES } from "./connection.js";
import { nameProvider } from "./connections.js";
import {
  Age,
  Ago,
  duration,
  Empty,
  html,
  Id,
  Loading,
  Page,
  Problem,
  Section,
  Table,
  useEffect,
  useRef,
  useState,
  words,
} from "./parts.js";
import { byId, hasEnded, isPublished, listColumns, measure } from "./refreshes.js";

const NEWEST = 20; // refreshes, to see soon what runs
const LATEST = 100; // refreshes, for the charts
const CONNECTIONS = 200;
const JUDGED = 12; // connections of which the cause is asked: some reads each
const EVENT_PAGES = 5; // of 100 each
const SHOWN = 8; // refreshes in the table

const URGENCY = Object.keys(CAUSES);

const NEEDS_NOTHING = new Set(["refreshing", "fresh"]);

const SIGN_IN_AGAIN = "Open the connection and choose Sign in again: you get a link for the user.";

const MINUTE = { every: 60 };

export function Overview() {
  const newest = useResource(`refreshes?limit=${NEWEST}`, { every: 4 });
  const refreshes = useResource(`refreshes?limit=${LATEST}`, MINUTE);
  const connections = useResource(`connections?limit=${CONNECTIONS}`, MINUTE);
  const latest = refreshes.data?.refreshes;
  const known = connections.data?.connections;
  const reload = () => {
    refreshes.reload();
    connections.reload();
  };
  const under = newest.data?.refreshes.filter((one) => !hasEnded(one)) ?? [];
  const running = under.length;
  const before = useRef(running);
  useEffect(() => {
    if (running < before.current) reload();
    before.current = running;
  }, [running]);
  return html`
    <${Page} title="Overview">
      <p class="lead">
        A connection is one of your users at one provider. A refresh brings its data up to date and
        publishes them.
      </p>
      <${Problem} problem=${refreshes.problem ?? connections.problem} retry=${reload} />
      ${!(latest && known) && html`<${Loading} />`}
      ${latest && known && html`<${Attention} connections=${known} hasMore=${connections.data.next_cursor} latest=${latest} under=${under} />`}
      ${newest.data && html`<${Running} newest=${newest.data.refreshes} reload=${newest.reload} />`}
      ${
        latest &&
        known &&
        html`
          <${Section} title="How fresh, and how fast">
            <div class="charts">
              <${Ages} connections=${known} hasMore=${connections.data.next_cursor} />
              <${Durations} latest=${latest} />
              <${Lateness} latest=${latest} />
            </div>
          <//>`
      }
    <//>`;
}

// --- what needs attention ---------------------------------------------------------------------

function Attention({ connections, hasMore, latest, under }) {
  const reauth = useResource("connections?reauth_required=true&limit=20", MINUTE);
  const breached = useBreached();
  const endpoints = useResource("endpoints", MINUTE);
  const suspects = findSuspects({ connections, latest, reauth: reauth.data, breached });
  const { found, problem } = useJudged(suspects.slice(0, JUDGED), latest);
  // What was judged before may be what a refresh is at work on now.
  const cared = new Set(
    under.filter((one) => one.waits_for !== "user").map((one) => one.connection_id),
  );
  const troubled = (endpoints.data?.endpoints ?? []).filter(({ state }) =>
    ["failing", "disabled"].includes(state),
  );
  const rows = [
    ...troubled.map(tellEndpoint),
    ...(found ?? [])
      .filter(({ freshness }) => !NEEDS_NOTHING.has(freshness.cause))
      .filter(({ connection: { connection_id: id } }) => !cared.has(id))
      .map(tellConnection),
  ].sort((one, other) => one.urgency - other.urgency);
  const others = suspects.length - JUDGED;
  return html`
    <${Section} title="Needs attention">
      <${Problem} problem=${problem ?? reauth.problem ?? endpoints.problem} />
      ${!found && !problem && html`<${Loading} />`}
      ${
        found &&
        html`<${Table} caption="What needs attention, the most urgent first" columns=${ATTENTION} rows=${rows} keyOf=${({ key }) => key}
          empty=${html`<${Empty} title="Nothing needs attention">All data are as fresh as they should be.<//>`} />`
      }
      ${others > 0 && html`<p class="more">${others} more are not fresh: see <a href="#/connections">the connections</a>.</p>`}
      ${hasMore && html`<p class="more">You have more than ${CONNECTIONS} connections. Of the others, only those are here whose user must sign in, or with a breached objective: see <a href="#/connections">the connections</a>.</p>`}
    <//>`;
}

const ATTENTION = [
  {
    name: "What",
    wide: true,
    of: ({ what, toDo }) => html`<strong>${what}</strong><div class="quiet">${toDo}</div>`,
  },
  { name: "Who acts", of: ({ who }) => who },
  { name: "Where", of: ({ where }) => where },
  { name: "Since", number: true, of: ({ since }) => html`<${Ago} at=${since} />` },
  { name: "Oldest data", number: true, of: ({ age }) => age },
];

/** The connections that may need attention, each once. */
function findSuspects({ connections, latest, reauth, breached }) {
  const known = new Map(connections.map((one) => [one.connection_id, one]));
  const ends = new Map();
  for (const refresh of latest.filter(hasEnded))
    if (!ends.has(refresh.connection_id)) ends.set(refresh.connection_id, refresh.status);
  const lacks = ({ coverage }) =>
    coverage && coverage.stale + coverage.incomplete + coverage.failed > 0;
  const all = [
    ...(reauth?.connections ?? []),
    ...connections.filter(({ connection_id: id }) => ends.get(id) === "failed"),
    ...breached.map((one) => known.get(one.connection_id) ?? one),
    ...connections.filter(({ snapshot }) => !snapshot || lacks(snapshot)),
  ];
  const first = new Map();
  for (const one of all) if (!first.has(one.connection_id)) first.set(one.connection_id, one);
  return [...first.values()];
}

/** Read the events of a type, oldest first: those of the last 30 days, or the first of many. */
async function readEvents(type, signal) {
  const found = [];
  for (let cursor = null, page = 1; page <= EVENT_PAGES; page++) {
    const read = await ask("GET", "events", { query: { type, cursor }, signal });
    found.push(...read.events);
    if (!read.more) break;
    cursor = read.next_cursor;
  }
  return found;
}

/** The connections whose data are older than their objective, as far as events tell. */
function useBreached() {
  const [breached, setBreached] = useState([]);
  useEffect(() => {
    const stop = new AbortController();
    const types = ["freshness.breached", "freshness.restored"];
    Promise.all(types.map((type) => readEvents(type, stop.signal))).then(
      ([begun, over]) => {
        const name = ({ data }) => `${data.connection_id} ${data.breached_at}`;
        const ended = new Set(over.map(name));
        setBreached(begun.filter((event) => !ended.has(name(event))).map(({ data }) => data));
      },
      () => {}, // the others are shown without them
    );
    return () => stop.abort();
  }, []);
  return breached;
}

/** These connections, each with its freshness; read again when other refreshes have ended. */
function useJudged(connections, latest) {
  const [state, setState] = useState({ found: null });
  const ended = latest.filter(hasEnded).map(({ refresh_id: id }) => id);
  const asked = JSON.stringify([connections.map(({ connection_id: id }) => id), ended]);
  useEffect(() => {
    const stop = new AbortController();
    const judge = async (connection) => {
      const path = `connections/${connection.connection_id}/freshness`;
      const freshness = await ask("GET", path, { signal: stop.signal }).catch((problem) => {
        if (![404, 410].includes(problem.status)) throw problem;
        return null; // it was erased meanwhile, or its snapshot replaced
      });
      return { connection, freshness };
    };
    Promise.all(connections.map(judge)).then(
      (all) => setState({ found: all.filter(({ freshness }) => freshness), problem: null }),
      (problem) => stop.signal.aborted || setState((before) => ({ ...before, problem })),
    );
    return () => stop.abort();
  }, [asked]);
  return state;
}

function tellConnection({ connection, freshness }) {
  const {
    cause,
    action,
    what_to_do: toDo,
    since,
    as_of: asOf,
    objective,
    not_fresh: parts,
    more,
  } = freshness;
  const { connection_id: id, external_id: user, provider } = connection;
  const lacking = parts.length + more;
  return {
    key: id,
    urgency: URGENCY.indexOf(cause),
    what: CAUSES[cause] ?? words(cause),
    toDo: action === "reauthenticate" ? SIGN_IN_AGAIN : toDo,
    since,
    who: ACTORS[action] ?? "–",
    where: html`
      ${user && html`<div><a class="name" title=${user} href=${`#/connections/${id}`}>${user}</a></div>`}
      <div class="quiet">${nameProvider(provider)}, <${Id} id=${id} to=${`#/connections/${id}`} /></div>`,
    age: html`
      ${asOf ? html`<${Age} at=${asOf} />` : "not known"}
      ${objective && html`<div class="quiet">may be ${duration(objective.max_age_seconds)}</div>`}
      ${lacking > 0 && html`<div class="quiet">${lacking} ${lacking === 1 ? "part" : "parts"} not fresh</div>`}`,
  };
}

function tellEndpoint({ endpoint_id: id, url, state, why, failing_since: since }) {
  const isDisabled = state === "disabled";
  return {
    key: id,
    urgency: isDisabled ? -1 : URGENCY.indexOf("provider_failed"),
    what: isDisabled ? "A webhook endpoint is disabled" : "A webhook endpoint fails",
    toDo: isDisabled
      ? `${why ? `${why}. ` : ""}Mend the receiver, then enable it. What has come meanwhile waits for it.`
      : "Look at its last deliveries. They are tried again by themselves.",
    who: ACTORS.retry,
    where: html`<a href=${`#/endpoints/${id}`}>${new URL(url).host}</a>`,
    since,
    age: "–",
  };
}

// --- what runs --------------------------------------------------------------------------------

function Running({ newest, reload }) {
  const running = newest.filter((one) => !hasEnded(one));
  const shown = [...running, ...newest.filter(hasEnded)].slice(0, Math.max(SHOWN, running.length));
  return html`
    <${Section} title=${running.length ? `Running now: ${running.length}` : "Nothing runs now; the latest refreshes"} aside=${html`<a href="#/refreshes">All refreshes</a>`}>
      <${Table} caption="Refreshes that run, then the latest that have ended" columns=${listColumns(reload)} rows=${shown} keyOf=${byId}
        empty=${html`<${Empty} title="Nothing has been refreshed yet">Open a <a href="#/connections">connection</a> and refresh it.<//>`} />
    <//>`;
}

// --- charts -----------------------------------------------------------------------------------

/** Rows for a chart: a provider each, with a point for each of its items. */
function group(items, toPoint) {
  const providers = [...new Set(items.map(({ provider }) => provider))].sort();
  return providers.map((provider) => ({
    name: nameProvider(provider),
    points: items.filter((one) => one.provider === provider).map(toPoint),
  }));
}

const age = (at) => (at ? Math.max(0, Date.now() - Date.parse(at)) / 1000 : null);
const oldest = ({ snapshot }) => age(snapshot?.as_of);
const nameConnection = ({ connection_id: id, external_id: user }) => user ?? id;

function Ages({ connections, hasMore }) {
  const byAge = (one, other) =>
    (oldest(other) ?? Number.MAX_VALUE) - (oldest(one) ?? Number.MAX_VALUE);
  return html`<${Strips} title="Age of the data" most="oldest"
    note=${`A dot is a connection, by its oldest part. Up to the line, half of them.${hasMore ? ` Of the first ${CONNECTIONS} connections.` : ""}`}
    rows=${group(connections, (one) => ({ seconds: oldest(one), label: nameConnection(one) }))}
    table=${[...connections].sort(byAge)} columns=${AGE_COLUMNS} />`;
}

const AGE_COLUMNS = [
  {
    name: "Connection",
    of: (one) => html`<a href=${`#/connections/${one.connection_id}`}>${nameConnection(one)}</a>`,
  },
  { name: "Provider", of: ({ provider }) => nameProvider(provider) },
  { name: "Oldest part", number: true, of: (one) => span(oldest(one)) },
  { name: "Youngest part", number: true, of: ({ snapshot }) => span(age(snapshot?.newest_as_of)) },
];

function Durations({ latest }) {
  return html`<${Strips} title="How long refreshes take" most="longest"
    note="A dot is a refresh, from the request to the publication."
    rows=${group(latest.filter(isPublished), (one) => ({ seconds: measure(one), label: one.refresh_id }))} />`;
}

function Lateness({ latest }) {
  return html`<${Strips} title="Lateness" most="latest"
    note="A dot is a refresh: for how long its provider was done, at the most, until a look saw it."
    rows=${group(
      latest.filter(({ ready_at: ready }) => ready),
      (one) => ({ seconds: one.noticed_within_seconds, label: one.refresh_id }),
    )} />`;
}
