// What runs: bulk runs, pushes, and what a connection's schedule starts.

import { ask, useList, useResource } from "./api.js";
import {
  AGES,
  Ages,
  describeSchedule,
  nameProvider,
  nameStarter,
  PROVIDER_OPTIONS,
  RATES,
  readAge,
  readDaily,
} from "./connections.js";
import {
  Ago,
  Button,
  Confirm,
  duration,
  Empty,
  ErrorNote,
  Facts,
  Field,
  html,
  Id,
  Loaded,
  More,
  Notice,
  Outcome,
  Page,
  Search,
  Section,
  Select,
  Status,
  Table,
  Time,
  useAction,
  useState,
  words,
} from "./parts.js";

// --- bulk runs ----------------------------------------------------------------------------------

const isOver = ({ status }) => ["done", "failed"].includes(status);

/** Outcomes of a run in the order of its bar, with the tone of each. */
const OUTCOMES = {
  published: ["good", "published"],
  fresh: ["good", "young enough already"],
  joined: ["live", "joined one that was running"],
  partial: ["warn", "published in part"],
  busy: ["warn", "busy with other datasets"],
  cancelled: ["none", "cancelled"],
  failed: ["bad", "failed"],
  not_found: ["bad", "not there"],
  unknown: ["none", "not known"],
};

const GOOD = ["published", "fresh", "joined", "partial"];

/** What became of connections whose error says less. */
const NOTES = {
  not_found: "There is no such connection, or it is not yours.",
  unknown: "The run ended before it came to them, or had word of them.",
};

const wasStopped = ({ error }) => error?.name === "Aborted";

function RunStatus({ of }) {
  return html`<${Status} of=${wasStopped(of) ? "stopped" : of.status} tone=${wasStopped(of) ? "warn" : undefined} />`;
}

/** How many connections a run has not refreshed. */
const countLeft = (outcomes) =>
  Object.entries(outcomes).reduce((sum, [of, count]) => sum + (GOOD.includes(of) ? 0 : count), 0);

const counted = (bulk) => Object.values(bulk.outcomes).reduce((sum, each) => sum + each, 0);

/** Which connections a run refreshes, in words. */
function describeRun({ named, provider, older_than_seconds: age }) {
  if (named) return `${named} named connections`;
  const whose = provider ? `all of ${nameProvider(provider)}` : "all connections";
  return age === null ? whose : `${whose} with data older than ${duration(age)}`;
}

const RUN_COLUMNS = [
  {
    name: "Run",
    of: (one) => html`<${Id} id=${one.bulk_id} to=${`#/bulk/${one.bulk_id}`} />`,
  },
  { name: "Started", of: (one) => html`<${Ago} at=${one.requested_at} />` },
  { name: "By", of: (one) => nameStarter(one.reason) },
  { name: "Of", of: describeRun },
  { name: "Status", of: (one) => html`<${RunStatus} of=${one} />` },
  {
    name: "Done",
    number: true,
    of: (one) => `${counted(one)} of ${one.total ?? "…"}`,
  },
  { name: "Not refreshed", number: true, of: (one) => countLeft(one.outcomes) },
];

/** All bulk runs, and on demand what starts one. */
export function BulkRuns() {
  const [starts, setStarts] = useState(false);
  const list = useList("bulk-refreshes", { limit: 25 }, { every: 10 });
  const start = html`<${Button} primary onClick=${() => setStarts(true)}>Start a bulk run<//>`;
  const none = html`<${Empty} title="There was no bulk run yet">A bulk run refreshes many connections at once.<//>`;
  return html`
    <${Page} title="Bulk runs" actions=${!starts && start}>
      ${starts && html`<${StartRun} onClose=${() => setStarts(false)} />`}
      ${list.known && html`<${Table} caption="Bulk runs, newest first" columns=${RUN_COLUMNS} rows=${list.items} keyOf=${(one) => one.bulk_id} empty=${none} />`}
      <${More} list=${list} />
    <//>`;
}

const SPREADS = [
  ["0", "at once"],
  ["600", "over 10 minutes"],
  ["3600", "over an hour"],
  ["21600", "over 6 hours"],
  ["86400", "over a day"],
];

function StartRun({ onClose }) {
  const action = useAction();
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    action.run(async () => {
      const body = { spread_seconds: Number(given.get("spread_seconds")) };
      if (given.get("provider")) body.provider = given.get("provider");
      const age = readAge(given).max_age_seconds;
      if (age) body.older_than_seconds = age;
      const bulk = await ask("POST", "bulk-refreshes", { body });
      location.hash = `#/bulk/${bulk.bulk_id}`;
    });
  };
  return html`
    <${Section} title="Start a bulk run">
      <form class="panel" onSubmit=${submit}>
        <p>Refreshes many connections, each with an outcome of its own. One run at a time.</p>
        <div class="fields">
          <${Field} label="Connections of">
            <select name="provider">
              <option value="">all providers</option>
              ${PROVIDER_OPTIONS.map(([of, name]) => html`<option key=${of} value=${of}>${name}</option>`)}
            </select>
          <//>
          <${Ages} label="With data older than" />
          <${Field} label="Started" hint="Spread many, so that the provider is not asked for all at once.">
            <select name="spread_seconds">${SPREADS.map(([of, text]) => html`<option key=${of} value=${of}>${text}</option>`)}</select>
          <//>
        </div>
        <${Outcome} of=${action} />
        <div class="actions">
          <${Button} type="submit" primary busy=${action.busy}>Start<//>
          <${Button} onClick=${onClose}>Cancel<//>
        </div>
      </form>
    <//>`;
}

/** One bulk run, followed to its end. */
export function BulkRun({ id }) {
  const path = `bulk-refreshes/${id}`;
  const [over, setOver] = useState(false);
  const bulk = useResource(path, { every: over ? 0 : 2 });
  if (bulk.data && isOver(bulk.data) !== over) setOver(!over);
  const cancel = async () => {
    await ask("POST", `${path}/cancel`);
    bulk.reload();
  };
  const stop = html`<${Confirm} label="Cancel the run" danger text="It stops within some seconds, and so do its refreshes that are under way. What is published stays." onConfirm=${cancel} />`;
  return html`
    <${Page} title="Bulk run" above=${html`<${Id} id=${id} full />`} actions=${bulk.data && !over && stop}>
      <${Loaded} of=${bulk}>${(data) => html`
        <${Progress} bulk=${data} />
        <${Facts} of=${[
          ["Status", html`<${RunStatus} of=${data} />`],
          ["Of", describeRun(data)],
          ["Started by", nameStarter(data.reason)],
          ["Started", html`<${Ago} at=${data.requested_at} />`],
          ["Spread", data.spread_seconds > 0 && `over ${duration(data.spread_seconds)}`],
          ["Under way now", !over && data.running],
          ["Ends about", !over && data.ends_about && html`<${Ago} at=${data.ends_about} />`],
          ["Ended", data.ended_at && html`<${Ago} at=${data.ended_at} />`],
        ]} />
        ${wasStopped(data) && html`<${Notice} tone="warn" title="The run was stopped. Start another for those that it has not refreshed." />`}
        ${!wasStopped(data) && html`<${ErrorNote} error=${data.error} />`}
        <${Failures} key=${over} path=${path} over=${over} />
      `}<//>
    <//>`;
}

function Progress({ bulk }) {
  const total = bulk.total ?? 0;
  const done = counted(bulk);
  const shown = Object.entries(OUTCOMES).filter(([outcome]) => bulk.outcomes[outcome] > 0);
  const label =
    bulk.total === null ? "The connections are being listed." : `${done} of ${total} connections`;
  return html`
    <div class="panel">
      <p class="title">${label}</p>
      <div class="bar" aria-hidden="true">
        ${shown.map(([outcome, [tone]]) => html`<span key=${outcome} class=${tone} style=${{ flexGrow: bulk.outcomes[outcome] }}></span>`)}
        ${total > done && html`<span style=${{ flexGrow: total - done }}></span>`}
      </div>
      <ul class="legend">
        ${shown.map(([outcome, [tone, text]]) => html`<li key=${outcome}><${Status} of=${`${bulk.outcomes[outcome]} ${text}`} tone=${tone} /></li>`)}
      </ul>
    </div>`;
}

const NAMED = 10; // connections of one error, where not all are wanted

/** What a run has not refreshed, grouped by what was wrong. */
function Failures({ path, over }) {
  const list = useList(`${path}/failures`, { limit: 500 }, { every: over ? 0 : 5 });
  const groups = new Map();
  for (const each of list.items) {
    const of = `${each.outcome} ${each.error?.name}`;
    groups.set(of, [...(groups.get(of) ?? []), each]);
  }
  return html`
    <${Section} title="Not refreshed">
      ${list.known && groups.size === 0 && html`<p>${over ? "Every connection was refreshed." : "None so far."}</p>`}
      ${[...groups].map(([of, items]) => html`<${Group} key=${of} items=${items} />`)}
      <${More} list=${list} />
    <//>`;
}

function Group({ items }) {
  const [all, setAll] = useState(false);
  const { error, outcome } = items[0];
  return html`
    <div class="panel">
      <h3>${items.length} × ${OUTCOMES[outcome][1]}</h3>
      ${NOTES[outcome] ? html`<p>${NOTES[outcome]}</p>` : html`<${ErrorNote} error=${error} />`}
      <ul class="ids">
        ${(all ? items : items.slice(0, NAMED)).map(
          (one) => html`
          <li key=${one.connection_id}>
            <${Id} id=${one.connection_id} to=${`#/connections/${one.connection_id}`} />
            ${one.refresh_id && outcome !== "unknown" && html` <a class="small" href=${`#/refreshes/${one.refresh_id}`}>its refresh</a>`}
          </li>`,
        )}
      </ul>
      ${items.length > NAMED && !all && html`<${Button} onClick=${() => setAll(true)}>Show all ${items.length}<//>`}
    </div>`;
}

// --- pushes -------------------------------------------------------------------------------------

const PUSH_STATES = [
  "accepted",
  "sending",
  "sent",
  "done",
  "incomplete",
  "failed",
  "unknown_outcome",
];
const isKnown = ({ status }) =>
  ["done", "incomplete", "failed", "unknown_outcome"].includes(status);

const PUSH_TOLD = {
  accepted: "It waits to be sent.",
  sending: "It is being sent to the provider.",
  sent: "The provider has it, and works on it.",
  done: "The provider has taken all its records.",
  incomplete: "The provider has refused some of its records, which are listed below.",
  failed: "The provider has taken none of its records. You may push them again under another key.",
  unknown_outcome: "The provider may have taken it or not: look there before you push again.",
};

const PUSH_COLUMNS = [
  {
    name: "Push",
    of: (one) => html`<${Id} id=${one.push_id} to=${`#/pushes/${one.push_id}`} />`,
  },
  { name: "Asked for", of: (one) => html`<${Ago} at=${one.requested_at} />` },
  {
    name: "Connection",
    of: (one) => html`<${Id} id=${one.connection_id} to=${`#/connections/${one.connection_id}`} />`,
  },
  { name: "Dataset", of: (one) => one.dataset },
  { name: "Status", of: (one) => html`<${Status} of=${one.status} />` },
  { name: "Records", number: true, of: (one) => one.records.toLocaleString() },
  { name: "Refused", number: true, of: (one) => one.failed.toLocaleString() },
];

/** All pushes, by filters. */
export function Pushes({ query = {} }) {
  const [status, setStatus] = useState("");
  const [connection, setConnection] = useState(query.connection_id ?? "");
  const filters = { connection_id: connection, status, limit: 50 };
  const list = useList("pushes", filters, { every: 10 });
  const none = html`<${Empty} title="There is no push here">A push sends records to a provider: your application starts it by POST /v1/pushes.<//>`;
  return html`
    <${Page} title="Pushes">
      <form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
        <${Search} label="Connection" value=${connection} onChange=${setConnection} placeholder="con_…" />
        <${Select} label="Status" value=${status} options=${[["", "any"], ...PUSH_STATES]} onChange=${setStatus} />
      </form>
      ${list.known && html`<${Table} caption="Pushes, newest first" columns=${PUSH_COLUMNS} rows=${list.items} keyOf=${(one) => one.push_id} empty=${none} />`}
      <${More} list=${list} />
    <//>`;
}

const FAILURE_COLUMNS = [
  {
    name: "Record",
    of: ({ index, id, internal_id }) =>
      [index !== undefined && `no. ${index + 1}`, id ?? internal_id].filter(Boolean).join(", ") ||
      "not named by the provider",
  },
  { name: "What the provider says", wide: true, of: (one) => one.error },
];
const STEP_COLUMNS = [
  { name: "When", of: (one) => html`<${Time} at=${one.at} />` },
  { name: "What", of: (one) => words(one.type) },
  {
    name: "More",
    wide: true,
    of: (one) =>
      Object.entries(one.facts)
        .map(([name, value]) => `${words(name)}: ${value}`)
        .join(", "),
  },
];

/** One push, followed to its end. */
export function Push({ id }) {
  const [over, setOver] = useState(false);
  const push = useResource(`pushes/${id}`, { every: over ? 0 : 2 });
  if (push.data && isKnown(push.data) !== over) setOver(!over);
  return html`
    <${Page} title="Push" above=${html`<${Id} id=${id} full />`}>
      <${Loaded} of=${push}>${(data) => html`
        <${Notice} tone=${{ done: "good", incomplete: "warn", unknown_outcome: "warn", failed: "bad" }[data.status] ?? "live"} title=${PUSH_TOLD[data.status]}>
          <${ErrorNote} error=${data.error} compact />
        <//>
        <${Facts} of=${[
          ["Status", html`<${Status} of=${data.status} />`],
          [
            "Connection",
            html`<${Id} id=${data.connection_id} to=${`#/connections/${data.connection_id}`} />`,
          ],
          ["Dataset", `${data.dataset}, at ${nameProvider(data.provider)}`],
          ["Records", data.records.toLocaleString()],
          ["Refused", data.failed.toLocaleString()],
          ["Attempts", data.attempts],
          ["Asked for", html`<${Ago} at=${data.requested_at} />`],
          ["Deadline", !over && html`<${Ago} at=${data.deadline} />`],
          ["Ended", data.ended_at && html`<${Ago} at=${data.ended_at} />`],
        ]} />
        ${data.failures.length > 0 && html`<${Section} title="Refused records"><${Table} caption="Refused records" columns=${FAILURE_COLUMNS} rows=${data.failures} /><//>`}
        <${Section} title="Steps"><${Table} caption="Steps" columns=${STEP_COLUMNS} rows=${data.events ?? []} keyOf=${(one) => one.version} /><//>
      `}<//>
    <//>`;
}

// --- what is started by the clock ------------------------------------------------------------------

const CHOICES = [...RATES, ["at", "every day at a time"], ["own", "as an expression says"]];

function readExpression(choice, given) {
  if (choice === "own") return given.get("expression").trim();
  if (choice !== "at") return choice;
  const [hour, minute] = given.get("time").split(":").map(Number);
  return `cron(${minute} ${hour} * * ? *)`;
}

function choose(schedule) {
  if (!schedule) return "rate(1 day)";
  if (readDaily(schedule.expression)) return "at";
  return RATES.some(([rate]) => rate === schedule.expression) ? schedule.expression : "own";
}

/** When a schedule fires next, as far as that is known: a rate counts from its first run. */
function describeNext({ next_run_at: next, last_run_at: last, expression }, paused) {
  if (next) return html`<${Ago} at=${next} />`;
  if (paused) return "not while the connection is paused";
  const [, rate] = /^rate\((.*)\)$/.exec(expression) ?? [];
  return rate && !last ? `for the first time within ${rate}` : "not known";
}

/** When a connection is refreshed by itself. */
export function Schedule({ connection: { connection_id: id, paused, schedule }, reload }) {
  const path = `connections/${id}/schedule`;
  const [choice, setChoice] = useState(choose(schedule));
  const action = useAction();
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const body = { expression: readExpression(choice, given), ...readAge(given) };
    if (given.has("time_zone")) body.time_zone = given.get("time_zone").trim();
    for (const kept of ["jitter_minutes", "datasets"])
      if (schedule?.[kept]) body[kept] = schedule[kept];
    action.run(async () => {
      await ask("PUT", path, { body });
      reload();
      return "The schedule is set.";
    });
  };
  const remove = () =>
    action.run(async () => {
      await ask("DELETE", path);
      reload();
      return "The schedule is removed: it is refreshed only when someone asks.";
    });
  return html`
    <${Section} title="Schedule">
      <div class="panel">
        ${!schedule && html`<p>None: it is refreshed only when someone asks.</p>`}
        ${
          schedule &&
          html`<${Facts} of=${[
            ["Refreshed by itself", describeSchedule(schedule)],
            ["Next", describeNext(schedule, paused)],
            [
              "Last",
              schedule.last_run_at ? html`<${Ago} at=${schedule.last_run_at} />` : "not yet",
            ],
            [
              "Only if the data are older than",
              schedule.max_age_seconds && duration(schedule.max_age_seconds),
            ],
          ]} />`
        }
        <details>
          <summary>${schedule ? "Change" : "Set"} the schedule</summary>
          <form onSubmit=${submit}>
            <div class="fields">
              <${Select} label="How often" value=${choice} options=${CHOICES} onChange=${setChoice} />
              ${choice === "at" && html`<${Field} label="Time"><input type="time" name="time" required defaultValue=${(schedule && readDaily(schedule.expression)) ?? "03:00"} /><//>`}
              ${choice === "own" && html`<${Field} label="Expression" hint="rate(2 hours) or cron(0 3 * * ? *)"><input name="expression" required maxlength="256" defaultValue=${schedule?.expression} /><//>`}
              ${["at", "own"].includes(choice) && html`<${Field} label="Time zone" hint="UTC, or as Europe/Berlin"><input name="time_zone" required maxlength="50" defaultValue=${schedule?.time_zone ?? "UTC"} /><//>`}
              <${Ages} label="Only if the data are older than" chosen=${schedule?.max_age_seconds} />
            </div>
            <div class="actions"><${Button} type="submit" primary busy=${action.busy}>Set the schedule<//></div>
          </form>
        </details>
        ${schedule && html`<${Button} onClick=${remove}>Remove the schedule<//>`}
        <${Outcome} of=${action} />
      </div>
    <//>`;
}

/** How old the data of a connection should be at most. */
export function Objective({ path, objective, reload }) {
  const action = useAction();
  const own = objective?.of === "connection";
  const submit = (event) => {
    event.preventDefault();
    const body = readAge(new FormData(event.currentTarget));
    action.run(async () => {
      await ask("PUT", `${path}/objective`, { body });
      reload();
      return "The objective is set.";
    });
  };
  const remove = () =>
    action.run(async () => {
      await ask("DELETE", `${path}/objective`);
      reload();
      return "The objective is removed.";
    });
  return html`
    <${Section} title="Objective">
      <div class="panel">
        <p>${objective ? `Its data should be no older than ${duration(objective.max_age_seconds)}${own ? "" : ", as the data of all your connections"}.` : "None: you are told nothing when its data grow old."}</p>
        <details>
          <summary>${own ? "Change" : "Set"} the objective</summary>
          <form onSubmit=${submit}>
            <${Ages} label="No older than" hint="Your endpoints are told when the data are older, and when they no longer are." options=${AGES} chosen=${objective?.max_age_seconds ?? AGES[3][0]} />
            <div class="actions"><${Button} type="submit" primary busy=${action.busy}>Set the objective<//></div>
          </form>
        </details>
        ${own && html`<${Button} onClick=${remove}>Remove the objective<//>`}
        <${Outcome} of=${action} />
      </div>
    <//>`;
}
