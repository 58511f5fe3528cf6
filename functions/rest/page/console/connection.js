// One connection: how fresh it is and why, and all that can be done with it.

import { ask, useList, useResource } from "./api.js";
import {
  Ages,
  describeCoverage,
  describeProvider,
  nameProvider,
  nameStarter,
  readAge,
  SignIn,
} from "./connections.js";
import { Events } from "./endpoints.js";
import {
  Age,
  Ago,
  Button,
  Confirm,
  Empty,
  ErrorNote,
  Facts,
  html,
  Id,
  Loaded,
  More,
  Notice,
  Outcome,
  Page,
  Section,
  Select,
  Status,
  Table,
  Time,
  useAction,
  useState,
  words,
} from "./parts.js";
import { Objective, Schedule } from "./runs.js";

/** Why data are not fresh, by the cause that the API names; the most urgent first. */
export const CAUSES = {
  reauth_required: "The user's sign-in at the provider is over",
  interaction_required: "The provider waits for the user",
  consent_missing: "The user's consent does not cover these data",
  source_reauth: "The user's sign-in at some of the sources is over",
  operator: "The last refresh failed: something is not set up",
  defect: "The last refresh failed by a defect",
  connection_refused: "The provider refuses this connection",
  schedule_late: "The schedule has missed two firings",
  provider_failed: "The last refresh failed at the provider",
  platform_failed: "The last refresh failed at AWS",
  stopped: "The last refresh was stopped",
  provider_paused: "The operator has paused this provider",
  not_due: "The data are older than they should be, and the schedule was not due since",
  not_requested: "The data are older than they should be, and no refresh was asked for since",
  source_stale: "The provider could not update every part",
  cooling_down: "The provider wants a pause before the next refresh",
  never_refreshed: "Nothing has been published yet",
  unknown_age: "The provider does not say how old its data are",
  paused: "You have paused this connection",
  refreshing: "A refresh is running",
  fresh: "All its data are fresh",
};

/** Who has to act, by the action that the API names. */
export const ACTORS = {
  retry: "you",
  wait: "no one",
  reauthenticate: "the user",
  ask_user: "the user",
  fix_request: "you",
  contact_operator: "the operator",
  report: "the maintainers of Freshet",
};

const SIGN_IN_AGAIN = "Choose Sign in again below, and give the user the link that you get.";
const ASK_USER = "Choose below what the user has to do, and give the user the link that you get.";

const TONES = {
  fresh: "good",
  partly_fresh: "warn",
  stale: "bad",
  unknown: "none",
};

/** One connection. */
export function ConnectionPage({ id }) {
  const path = `connections/${id}`;
  const connection = useResource(path, { every: 10 });
  const freshness = useResource(`${path}/freshness`, { every: 10 });
  const [erased, setErased] = useState(null);
  const reload = () => {
    connection.reload();
    freshness.reload();
  };
  if (erased) return html`<${Erased} told=${erased} />`;
  const user = connection.data?.external_id;
  return html`
    <${Page} title=${user ?? "Connection"} above=${html`<${Id} id=${id} full />`}>
      <${Loaded} of=${connection}>${(data) => html`
        <${Loaded} of=${freshness}>${(found) => html`<${Freshness} of=${found} />`}<//>
        ${data.reauth_required && freshness.data?.cause !== "reauth_required" && html`<${Notice} tone="bad" title="The user must sign in again: until then every refresh fails" />`}
        ${data.paused && freshness.data?.cause !== "paused" && html`<${Notice} tone="warn" title="It is paused: new refreshes and pushes are refused" />`}
        <${Actions} connection=${data} reload=${reload} />
        ${data.snapshot && html`<${Snapshot} key=${`snapshot ${data.snapshot.refresh_id}`} connection_id=${id} />`}
        <div class="columns">
          <${Schedule} connection=${data} reload=${reload} />
          <${Objective} path=${path} objective=${freshness.data?.objective} reload=${reload} />
        </div>
        <${Refreshes} key=${`refreshes ${data.running_refresh_id} ${data.snapshot?.refresh_id}`} connection_id=${id} />
        <${Events} id=${id} />
        <${About} connection=${data} />
        <${Erase} connection=${data} onErased=${setErased} />
      `}<//>
    <//>`;
}

function Freshness({ of }) {
  const { cause, action, next_try: next, running, last_failed: failed, objective } = of;
  const tone =
    of.verdict === "unknown" && ACTORS[action] === "the user" ? "warn" : TONES[of.verdict];
  const isNew = failed && !(failed.at < of.last_published?.at);
  const title = CAUSES[cause] ?? words(cause);
  const nextTry =
    next && (next.at ? html`<${Ago} at=${next.at} />, by the ${next.by}` : `by the ${next.by}`);
  return html`
    <${Notice} tone=${tone} title=${html`<${Status} of=${of.verdict} /> ${title}`}>
      ${action && html`<p>${action === "reauthenticate" ? SIGN_IN_AGAIN : of.what_to_do}${cause === "interaction_required" && ` ${ASK_USER}`}</p>`}
      <${Facts} of=${[
        ["Oldest data", of.as_of && html`<${Ago} at=${of.as_of} />`],
        ["Who acts", action && (ACTORS[action] ?? words(action))],
        ["Since", cause !== "fresh" && of.since && html`<${Ago} at=${of.since} />`],
        [
          "Running",
          running && html`<a href=${`#/refreshes/${running.refresh_id}`}>Watch the refresh</a>`,
        ],
        ["Next try", nextTry],
        [
          "Older than wanted since",
          objective?.breached_at && html`<${Time} at=${objective.breached_at} />`,
        ],
        [
          "Last failure",
          isNew &&
            html`<a href=${`#/refreshes/${failed.refresh_id}`}><${Ago} at=${failed.at} /></a>, ${failed.error?.name}`,
        ],
      ]} />
    <//>`;
}

const PURPOSES = {
  banno: { reconnect: "Sign in again" },
  digime: { reconnect: "Sign in again", add_source: "Add a source" },
  endgrate: { reconnect: "Sign in again", edit: "Choose anew what is shared" },
};

function Actions({ connection, reload }) {
  const { connection_id: id, paused, provider, next_allowed_at: pause } = connection;
  const path = `connections/${id}`;
  const [session, setSession] = useState(null);
  const action = useAction();
  const refresh = (event) => {
    event.preventDefault();
    const body = readRefresh(new FormData(event.currentTarget), connection);
    action.run(async () => {
      const started = await ask("POST", "refreshes", { body });
      if (started.outcome === "fresh") return "The data are young enough: nothing was started.";
      location.hash = `#/refreshes/${started.refresh_id}`;
      return null;
    });
  };
  const setPaused = (value) =>
    action.run(async () => {
      await ask("PATCH", path, { body: { paused: value } });
      reload();
      return value
        ? "It is paused: new refreshes and pushes are refused. One that runs goes on."
        : "It can be refreshed again.";
    });
  const lift = () =>
    action.run(async () => {
      await ask("DELETE", `${path}/pause`);
      reload();
      return "The pause is lifted. The provider may ask for another.";
    });
  const signIn = (purpose) =>
    action.run(async () => {
      const body = { connection_id: id, purpose, refresh: true };
      setSession(await ask("POST", "connect-sessions", { body }));
    });
  return html`
    <${Section} title="What you can do">
      <form class="panel" onSubmit=${refresh}>
        <div class="actions">
          <${Button} type="submit" primary=${!connection.reauth_required} busy=${action.busy}>Refresh<//>
          ${Object.entries(PURPOSES[provider] ?? {}).map(
            ([purpose, text]) =>
              html`<${Button} key=${purpose} primary=${connection.reauth_required && purpose === "reconnect"} onClick=${() => signIn(purpose)}>${text}<//>`,
          )}
          <${Button} onClick=${() => setPaused(!paused)}>${paused ? "Resume" : "Pause"}<//>
          ${Date.parse(pause) > Date.now() && html`<${Button} onClick=${lift}>Lift the provider's pause<//>`}
        </div>
        <${Outcome} of=${action} />
        <${RefreshOptions} connection=${connection} />
      </form>
    <//>
    ${session && html`<${SignIn} key=${session.connect_session_id} begun=${session} onClose=${() => setSession(null)} onConnected=${reload} />`}`;
}

function RefreshOptions({ connection: { datasets, titles } }) {
  return html`
    <details>
      <summary>Options of the refresh</summary>
      <div class="fields">
        <${Ages} label="Only if the data are older than" />
        <fieldset>
          <legend>Datasets</legend>
          ${datasets.map(
            (name) => html`
            <label class="check" key=${name}><input type="checkbox" name="datasets" value=${name} defaultChecked /> ${titles[name] ?? name}</label>`,
          )}
        </fieldset>
        <fieldset>
          <legend>How</legend>
          <label class="check"><input type="checkbox" name="full" /> Read everything again, not only what has changed</label>
          <label class="check"><input type="checkbox" name="wait_for_user" /> Wait for a user who has to act first, instead of failing</label>
        </fieldset>
      </div>
    </details>`;
}

/** The body of a request for a refresh, as the form has its options. */
function readRefresh(given, { connection_id, datasets }) {
  const wanted = given.getAll("datasets");
  const body = { connection_id, ...readAge(given) };
  for (const name of ["full", "wait_for_user"]) if (given.has(name)) body[name] = true;
  return wanted.length < datasets.length ? { ...body, datasets: wanted } : body;
}

const FIELDS = 6; // of a record, where not all are wanted
const PARTS = 12; // where not all are wanted
const PREVIEWED = 10; // records
const CUT = 120; // characters of a cell of the preview

const EVIDENCE = { dated: "the provider's date", completed: "the end of its job", none: "–" };

export const PART_COLUMNS = [
  { name: "Part", of: (one) => one.label ?? html`<${Id} id=${one.part} />` },
  { name: "Datasets", of: (one) => one.datasets.join(", ") },
  { name: "State", of: (one) => html`<${Status} of=${one.state} />` },
  { name: "Age", number: true, of: (one) => html`<${Age} at=${one.as_of} />` },
  { name: "Evidence", of: (one) => EVIDENCE[one.evidence] },
  { name: "Why", wide: true, of: (one) => html`<${Why} part=${one} />` },
];

function Why({ part: { state, why, reauth, retry_at: retry, failures } }) {
  return html`
    ${state === "gone" && html`<div>The provider no longer has it.</div>`}
    ${why && html`<div>The provider says: ${why}.</div>`}
    ${reauth && html`<div>The user must sign in at this source again.</div>`}
    ${retry && html`<div>Ask for it again from <${Time} at=${retry} /> on.</div>`}
    ${failures > 0 && html`<div>${failures} of its records could not be had.</div>`}`;
}

const ORDER = ["failed", "stale", "incomplete", "fresh", "gone"];

/** What is published: its parts, its datasets, and on demand a look at their records. */
function Snapshot({ connection_id: id }) {
  const path = `connections/${id}/datasets`;
  const snapshot = useResource(path);
  const [all, setAll] = useState(false);
  return html`
    <${Loaded} of=${snapshot}>${({ parts, datasets, coverage }) => {
      const sorted = [...parts].sort(
        (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state),
      );
      return html`
        <${Section} title="Parts" aside=${describeCoverage(coverage)}>
          <p class="lead">A part is what the provider updates at once: an account, a source, a dataset.</p>
          <${Table} caption="Parts" columns=${PART_COLUMNS} rows=${all ? sorted : sorted.slice(0, PARTS)} keyOf=${(one) => `${one.part} ${one.datasets}`} />
          ${sorted.length > PARTS && !all && html`<p class="more"><${Button} onClick=${() => setAll(true)}>Show all ${sorted.length} parts<//></p>`}
        <//>
        <${Section} title="Datasets">
          ${datasets.map((one) => html`<${Dataset} key=${one.name} path=${path} dataset=${one} />`)}
        <//>`;
    }}<//>`;
}

function Dataset({ path, dataset: { name, title, records, deletions, as_of: asOf } }) {
  const [found, setFound] = useState(null);
  const action = useAction();
  const look = () =>
    action.run(async () => {
      const query = { limit: PREVIEWED };
      setFound(await ask("GET", `${path}/${encodeURIComponent(name)}`, { query }));
    });
  return html`
    <div class="panel">
      <div class="section">
        <h3>${title}</h3>
        <span>${count(records, "record")}${deletions > 0 && `, ${count(deletions, "deletion")}`}, the oldest of <${Ago} at=${asOf} /></span>
        ${found && html`<${Button} onClick=${() => setFound(null)}>Hide the records<//>`}
        ${!found && records > 0 && html`<${Button} onClick=${look}>Look at ${Math.min(records, PREVIEWED)} records<//>`}
      </div>
      <${Outcome} of=${action} />
      ${found && html`<${Preview} records=${found.records} title=${title} />`}
    </div>`;
}

const count = (number, thing) => `${number.toLocaleString()} ${thing}${number === 1 ? "" : "s"}`;

/** The first records, as text and cut. They are kept nowhere but in the page. */
export function Preview({ records, title, none = "It has no records" }) {
  const [all, setAll] = useState(false);
  const fields = [...new Set(records.flatMap(({ data }) => Object.keys(data ?? {})))];
  const columns = [
    {
      name: "id",
      of: ({ id, deleted }) => html`<${Id} id=${id} /> ${deleted && "deleted"}`,
    },
    ...fields
      .filter((field) => field !== "id")
      .map((field) => ({ name: field, of: ({ data }) => cut(data?.[field]) })),
  ];
  return html`
    <div class="scrolls" tabindex="0" role="region" aria-label=${`Records of ${title}`}>
      <${Table} caption=${`The first records of ${title}`} columns=${all ? columns : columns.slice(0, FIELDS)} rows=${records} keyOf=${({ id, part }) => `${part} ${id}`} empty=${html`<${Empty} title=${none} />`} />
    </div>
    ${columns.length > FIELDS && html`<p class="more"><${Button} onClick=${() => setAll(!all)}>${all ? "Show fewer fields" : `Show all ${columns.length} fields`}<//></p>`}`;
}

function cut(value) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > CUT ? `${text.slice(0, CUT)}…` : text;
}

const REFRESH_COLUMNS = [
  {
    name: "Asked for",
    of: (one) =>
      html`<a href=${`#/refreshes/${one.refresh_id}`}><${Ago} at=${one.requested_at} /></a>`,
  },
  { name: "By", of: (one) => one.requested_by ?? nameStarter(one.reason) },
  { name: "Status", of: (one) => html`<${Status} of=${one.status} />` },
  {
    name: "Records read",
    number: true,
    of: (one) =>
      Object.values(one.records_read)
        .reduce((sum, each) => sum + each, 0)
        .toLocaleString(),
  },
  {
    name: "Error",
    wide: true,
    of: (one) => html`<${ErrorNote} error=${one.error} compact />`,
  },
];

function Refreshes({ connection_id }) {
  const list = useList("refreshes", { connection_id, limit: 5 });
  return html`
    <${Section} title="Latest refreshes">
      ${list.known && html`<${Table} caption="Refreshes, newest first" columns=${REFRESH_COLUMNS} rows=${list.items} keyOf=${(one) => one.refresh_id} empty=${html`<${Empty} title="There was none yet" />`} />`}
      <${More} list=${list} />
    <//>`;
}

function About({ connection }) {
  const labels = Object.entries(connection.labels).map(([name, value]) => `${name}: ${value}`);
  return html`
    <${Section} title="About it">
      <${Facts} of=${[
        ["Provider", describeProvider(connection)],
        ["Your user's id", connection.external_id],
        ["The user's id at the provider", connection.subject],
        [
          "Pushes",
          connection.provider === "endgrate" &&
            html`<a href=${`#/pushes?connection_id=${connection.connection_id}`}>What was pushed</a>`,
        ],
        ["Labels", labels.join(", ") || null],
        ["Connected", html`<${Time} at=${connection.created_at} />`],
        [
          "Published by",
          connection.snapshot &&
            html`<a href=${`#/refreshes/${connection.snapshot.refresh_id}`}>the refresh that has its receipt</a>`,
        ],
        ...Object.entries(connection.params).map(([name, params]) => [
          `${name} narrowed down to`,
          JSON.stringify(params),
        ]),
      ]} />
    <//>`;
}

const REVOKE = [
  ["true", "Revoke it, and erase it here in any case"],
  ["required", "Revoke it, or else erase nothing"],
  ["false", "Leave it as it is there"],
];
const LIBRARY = [
  ["false", "Leave the user's library there"],
  ["library", "Delete the user's library, which other applications may use"],
];
const REVOKED = {
  done: "It is revoked at the provider.",
  already: "The provider did not know it any more.",
  shared: "It was not revoked at the provider: another connection stands on the same login.",
  skipped: "Nothing was done at the provider.",
  unsupported: "The provider has no way to revoke it.",
  failed: "It could not be revoked at the provider, and may be good there still.",
};

function Erase({ connection: { connection_id: id, external_id: user, provider }, onErased }) {
  const choices = provider === "digime" ? LIBRARY : REVOKE;
  const [revoke, setRevoke] = useState(choices[0][0]);
  const erase = async () =>
    onErased(await ask("DELETE", `connections/${id}`, { query: { revoke } }));
  return html`
    <${Section} title="Erase">
      <div class="panel">
        <p>Its credentials, its data in every version and its history are deleted. This cannot be undone.</p>
        <${Select} label=${`At ${nameProvider(provider)}`} value=${revoke} options=${choices} onChange=${setRevoke} />
        <${Confirm} label="Erase the connection" text=${`${user ?? id} at ${nameProvider(provider)}: nothing of it will be left here.`} typed=${user ?? id} danger onConfirm=${erase} />
      </div>
    <//>`;
}

function Erased({ told: { connection_id: id, provider } }) {
  return html`
    <${Page} title="The connection is erased">
      <p>Nothing of <code>${id}</code> is left here. ${REVOKED[provider.revoked]}</p>
      <p><a href="#/connections">All connections</a></p>
    <//>`;
}
