// Connections: the list, and the links at which users sign in.

import { ask, useFollowed, useList, useResource } from "./api.js";
import {
  Age,
  Button,
  duration,
  Empty,
  Field,
  html,
  Id,
  More,
  Outcome,
  Page,
  Problem,
  Search,
  Secret,
  Section,
  Select,
  Status,
  Table,
  Time,
  useAction,
  useEffect,
  useState,
  words,
} from "./parts.js";

const HOUR = 3600;
const DAY = 24 * HOUR;

const PROVIDERS = { banno: "Banno", digime: "digi.me", endgrate: "Endgrate" };

/** Providers to choose from: each one's name in the API, and its own. */
export const PROVIDER_OPTIONS = Object.entries(PROVIDERS);

/** Ages of data to choose from: seconds and words. */
export const AGES = [
  [HOUR / 12, "5 minutes"],
  [HOUR / 4, "15 minutes"],
  [HOUR, "an hour"],
  [6 * HOUR, "6 hours"],
  [DAY, "a day"],
  [7 * DAY, "a week"],
  [30 * DAY, "30 days"],
];
const LINK_AGES = [
  [HOUR / 2, "30 minutes"],
  [DAY, "a day"],
  [7 * DAY, "a week"],
];

const ANY_AGE = [["", "any age"], ...AGES];

/** A choice of an age in a form; one that is `chosen` already is among them. */
export function Ages({ label, hint, options = ANY_AGE, chosen }) {
  const isThere = !chosen || options.some(([of]) => of === chosen);
  const all = isThere ? options : [...options, [chosen, duration(chosen)]];
  return html`
    <${Field} label=${label} hint=${hint}>
      <select name="max_age_seconds">
        ${all.map(([of, text]) => html`<option key=${of} value=${of} selected=${of === chosen}>${text}</option>`)}
      </select>
    <//>`;
}

/** The age that a form has chosen, as fields of a body: none where it is any. */
export function readAge(given) {
  const age = given.get("max_age_seconds");
  return age ? { max_age_seconds: Number(age) } : {};
}

export const nameProvider = (provider) => PROVIDERS[provider] ?? provider;

/** The provider with what tells its connections apart: the settings. */
export function describeProvider({ provider, settings }) {
  return [nameProvider(provider), ...Object.values(settings)].join(", ");
}

const STARTERS = {
  api: "a request",
  schedule: "its schedule",
  bulk: "a bulk run",
  console: "Step Functions",
};

/** What has started a refresh or a bulk run. */
export const nameStarter = (reason) => STARTERS[reason] ?? words(reason);

/** How many parts are in each state, in words. */
export function describeCoverage(coverage) {
  const counts = Object.entries(coverage ?? {}).filter(([, count]) => count > 0);
  return counts.map(([state, count]) => `${count} ${state}`).join(", ") || "no parts";
}

/** Schedules to choose from. */
export const RATES = [
  ["rate(15 minutes)", "every 15 minutes"],
  ["rate(1 hour)", "every hour"],
  ["rate(6 hours)", "every 6 hours"],
  ["rate(1 day)", "every day"],
];

/** The time of day at which a schedule fires every day, as "03:00"; null where it is another. */
export function readDaily(expression) {
  const [, minute, hour] = /^cron\((\d+) (\d+) \* \* \? \*\)$/.exec(expression) ?? [];
  return hour ? `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}` : null;
}

/** When a schedule fires, in words as far as there are any. */
export function describeSchedule({ expression, time_zone: zone }) {
  const daily = readDaily(expression);
  if (daily) return `every day at ${daily}, ${zone}`;
  return RATES.find(([rate]) => rate === expression)?.[1] ?? `${expression}, ${zone}`;
}

/** What a connection needs or waits for: a word, its tone, and more where there is more to say. */
function judge(connection) {
  const { coverage } = connection.snapshot ?? {};
  const pause = connection.next_allowed_at;
  if (connection.reauth_required) return ["sign in again", "bad", "The user has to."];
  if (connection.paused) return ["paused", "warn", "Resume it to have it refreshed."];
  if (connection.running_refresh_id) return ["refreshing", "live", null];
  if (Date.parse(pause) > Date.now())
    return ["waits", "warn", html`The provider wants it to, until <${Time} at=${pause} />.`];
  if (!connection.snapshot) return ["no data", "none", "Nothing has been published yet."];
  const lacks = coverage?.failed || coverage?.stale || coverage?.incomplete;
  const told = describeCoverage(coverage);
  return lacks ? ["partly fresh", "warn", told] : ["published", "good", told];
}

function State({ connection }) {
  const [word, tone, text] = judge(connection);
  return html`<${Status} of=${word} tone=${tone} />${text && html`<div class="small">${text}</div>`}`;
}

const COLUMNS = [
  { name: "User", of: (one) => html`<${Name} connection=${one} />` },
  { name: "Provider", of: describeProvider },
  { name: "State", of: (one) => html`<${State} connection=${one} />` },
  {
    name: "Newest data",
    number: true,
    of: (one) => html`<${Age} at=${one.snapshot?.newest_as_of} />`,
  },
  {
    name: "Oldest data",
    number: true,
    of: (one) => html`<${Age} at=${one.snapshot?.as_of} />`,
  },
  { name: "Schedule", of: (one) => (one.schedule ? describeSchedule(one.schedule) : "–") },
];

function Name({ connection: { connection_id: id, external_id: user } }) {
  const to = `#/connections/${id}`;
  if (!user) return html`<${Id} id=${id} to=${to} />`;
  return html`<a href=${to} title=${user} class="name">${user}</a><div class="small"><${Id} id=${id} /></div>`;
}

/** All connections, by filters, which stand in the address; above them what connects a user. */
export function Connections({ query: filters }) {
  const [connects, setConnects] = useState(false);
  const list = useList("connections", { limit: 50, ...filters }, { every: 15 });
  const none = Object.keys(filters).length
    ? html`<${Empty} title="No connection fits these filters">Choose fewer of them. Ids and labels are looked for whole.<//>`
    : html`<${Empty} title="There are no connections yet">Connect a user to begin.<//>`;
  const connect = html`<${Button} primary onClick=${() => setConnects(true)}>Connect a user<//>`;
  return html`
    <${Page} title="Connections" actions=${!connects && connect}>
      ${connects && html`<${Connect} others=${list.items} onClose=${() => setConnects(false)} onConnected=${list.reload} />`}
      <${Filters} chosen=${filters} />
      ${list.known && html`<${Table} caption="Connections" columns=${COLUMNS} rows=${list.items} keyOf=${(one) => one.connection_id} empty=${none} />`}
      <${More} list=${list} />
    <//>`;
}

const STATES = [
  ["", "any"],
  ["reauth_required=true", "must sign in again"],
  ["paused=true", "paused"],
  ["paused=false", "not paused"],
];

/** Filters of the list: those that are `chosen`, as the API names them. */
function Filters({ chosen }) {
  const choose = (changed) => {
    const given = Object.entries({ ...chosen, ...changed }).filter(([, each]) => each);
    location.hash = `#/connections?${new URLSearchParams(given)}`;
  };
  const set = (name) => (value) => choose({ [name]: value });
  const setState = (state) =>
    choose({ reauth_required: "", paused: "", ...Object.fromEntries(new URLSearchParams(state)) });
  const state = STATES.find(([of]) => of && chosen[of.split("=")[0]] === of.split("=")[1]);
  const providers = [["", "any"], ...PROVIDER_OPTIONS];
  return html`
    <form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
      <${Select} label="Provider" value=${chosen.provider ?? ""} options=${providers} onChange=${set("provider")} />
      <${Select} label="State" value=${state?.[0] ?? ""} options=${STATES} onChange=${setState} />
      <${Select} label="Data older than" value=${chosen.older_than_seconds ?? ""} options=${ANY_AGE} onChange=${set("older_than_seconds")} />
      <${Search} label="Your user's id" value=${chosen.external_id} onChange=${set("external_id")} placeholder="user-4711" />
      <${Search} label="Id at the provider" value=${chosen.subject} onChange=${set("subject")} />
      <${Search} label="Label" value=${chosen.label} onChange=${set("label")} placeholder="plan:pro" />
    </form>`;
}

/** What connects a user; `others` are connections that there are, whose institutions it offers. */
function Connect({ others, onClose, onConnected }) {
  const [provider, setProvider] = useState("banno");
  const institutions = new Set(others.map((one) => one.settings.institution).filter(Boolean));
  const [session, setSession] = useState(null);
  const action = useAction();
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name) => given.get(name).trim();
    action.run(async () => {
      const body = {
        provider,
        external_id: text("external_id"),
        expires_in_seconds: Number(given.get("expires_in_seconds")),
        refresh: given.has("refresh"),
      };
      if (text("user_label")) body.user_label = text("user_label");
      if (provider === "banno") body.settings = { institution: text("institution") };
      if (provider === "endgrate") body.datasets = given.getAll("datasets");
      setSession(await ask("POST", "connect-sessions", { body }));
    });
  };
  if (session)
    return html`<${SignIn} begun=${session} onClose=${onClose} onConnected=${onConnected} />`;
  return html`
    <${Section} title="Connect a user">
      <form class="panel" onSubmit=${submit}>
        <p>This makes a link. Your user opens it and signs in at the provider, and the connection is here.</p>
        <div class="fields">
          <${Select} label="Provider" value=${provider} options=${PROVIDER_OPTIONS} onChange=${setProvider} />
          <${Field} label="Your user's id" hint="As your application knows the user. Not a name or an address.">
            <input name="external_id" required maxlength="200" pattern="[!-~]+" title="Visible ASCII characters without blanks" autocomplete="off" />
          <//>
          ${
            provider === "banno" &&
            html`<${Field} label="Institution" hint="The bank, as your operator has named it.">
            <input name="institution" required maxlength="200" list="institutions" autocomplete="off" defaultValue=${institutions.size === 1 ? [...institutions][0] : ""} />
            <datalist id="institutions">${[...institutions].map((one) => html`<option key=${one} value=${one} />`)}</datalist>
          <//>`
          }
          <${Field} label="Shown to the user" hint="May be left out. It says for whom the link is.">
            <input name="user_label" maxlength="80" autocomplete="off" />
          <//>
          <${Field} label="The link is good for">
            <select name="expires_in_seconds">${LINK_AGES.map(([of, text]) => html`<option value=${of}>${text}</option>`)}</select>
          <//>
        </div>
        ${provider === "endgrate" && html`<${Types} />`}
        <label class="check"><input type="checkbox" name="refresh" defaultChecked /> Refresh as soon as the user has signed in</label>
        <${Outcome} of=${action} />
        <div class="actions">
          <${Button} type="submit" primary busy=${action.busy}>Make the link<//>
          <${Button} onClick=${onClose}>Cancel<//>
        </div>
      </form>
    <//>`;
}

/** What Endgrate can fetch. The same type is in several of its systems, and stands here once. */
function Types() {
  const types = useResource("providers/endgrate/types");
  const every = (types.data?.integrations ?? []).flatMap((one) => one.types);
  const pulled = new Map(
    every.filter((one) => one.pulls).map((one) => [one.endgrate_type, one.title]),
  );
  return html`
    <fieldset>
      <legend>Datasets to fetch</legend>
      <${Problem} problem=${types.problem} retry=${types.reload} />
      ${[...pulled].map(
        ([type, title]) => html`
        <label class="check" key=${type}><input type="checkbox" name="datasets" value=${type} /> ${title}</label>`,
      )}
    </fieldset>`;
}

const SIGN_IN_ERRORS = {
  access_denied: "the user did not agree.",
  consent_incomplete: "the user left out something that is needed.",
  not_finished: "the user has not finished choosing at the provider.",
  wrong_account: "it was another login than before.",
  provider_error: "the provider could not do it.",
  provider_unavailable: "the provider does not answer.",
  not_configured: "the operator has to mend the provider's secret.",
};

const AFTERWARDS = 2000; // milliseconds

const hasEnded = ({ status }) => ["connected", "expired", "cancelled"].includes(status);

/** A link at which one user signs in, and what comes of it; `begun` is the session as it was made. */
export function SignIn({ begun, onClose, onConnected }) {
  const path = `connect-sessions/${begun.connect_session_id}`;
  const session = useFollowed(path, { ended: hasEnded, initial: begun });
  const ending = useAction();
  const now = session.data ?? begun;
  const {
    status,
    reused,
    provider,
    last_error: error,
    connection_id: id,
    refresh_id: refresh,
  } = now;
  const isOver = hasEnded({ status });
  useEffect(() => {
    if (status !== "connected") return undefined;
    onConnected?.();
    const timer = setTimeout(session.reload, AFTERWARDS); // its refresh is started only then
    return () => clearTimeout(timer);
  }, [status]);
  const told = {
    open: !error && "The user has not begun yet. This page follows the link.",
    started: `The user is at ${nameProvider(provider)} now.`,
    authorized: "The user has signed in. Your application has to redeem the code.",
    connected: reused
      ? "This login was connected before; it has new credentials now."
      : "The user is connected.",
    expired: "The link is over. Make another.",
    cancelled: "You have ended this link.",
  }[status];
  const end = () =>
    ending.run(async () => {
      await ask("POST", `${path}/cancel`);
      session.reload();
    });
  return html`
    <${Section} title=${`Sign-in of ${begun.external_id ?? "this user"}`}>
      <div class="panel">
        ${
          !isOver &&
          html`
          <p>Give it to this user and to no other: with it anyone can connect a login of their own.</p>
          <${Secret} label="Link" value=${begun.connect_url} opens />
          <p class="small">It is good until <${Time} at=${begun.expires_at} />. This page shows it only now.</p>`
        }
        <p role="status"><${Status} of=${status} /> ${told}</p>
        ${error && !isOver && html`<p>The last attempt failed: ${SIGN_IN_ERRORS[error.name] ?? error.name} The user may try again.</p>`}
        <${Problem} problem=${session.problem} retry=${session.reload} />
        <${Outcome} of=${ending} />
        <div class="actions">
          ${status === "connected" && html`<a class="button primary" href=${`#/connections/${id}`}>Open the connection</a>`}
          ${refresh && html`<a class="button" href=${`#/refreshes/${refresh}`}>Watch the refresh</a>`}
          ${!isOver && html`<${Button} onClick=${end}>End this link<//>`}
          <${Button} onClick=${onClose}>Close<//>
        </div>
      </div>
    <//>`;
}
