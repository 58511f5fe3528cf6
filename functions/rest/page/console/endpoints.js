// Webhooks: endpoints of applications, what was delivered to them, and the events told of a connection.

import { ask, useList, useResource } from "./api.js";
import { nameProvider, PROVIDER_OPTIONS } from "./connections.js";
import {
  Ago,
  Button,
  Confirm,
  Empty,
  Facts,
  Field,
  html,
  Id,
  Loaded,
  More,
  Notice,
  Outcome,
  Page,
  Secret,
  Section,
  Select,
  Status,
  Table,
  Time,
  useAction,
  useState,
  words,
} from "./parts.js";

const DAY = 24 * 3600;

const KINDS = {
  refresh: "refreshes that have ended",
  push: "pushes that have ended",
  connection: "connections: made, signed in again, needing a sign-in, erased",
  freshness: "objectives that data exceed, or meet again",
  endpoint: "endpoints that were disabled",
};

const NO_ANSWER = {
  address_refused: "its address may not be called",
  name_not_found: "its host has no address",
  not_connected: "it took no connection",
  tls_failed: "its certificate does not hold",
  timed_out: "it took too long",
  answer_broken: "what came is no HTTP answer",
};

const STATES = {
  enabled: "It is told of events.",
  failing:
    "Its last deliveries failed. One that waits is tried now and then; the others go once one arrives.",
  paused: "You have paused it. What is to be delivered waits, up to 30 days, until you enable it.",
  disabled:
    "It is told nothing. What is to be delivered waits, up to 30 days, until you enable it.",
};

const describeTypes = (types) => (types.length ? types.join(", ") : "every event");

/** What an attempt has come to, in words. */
const describeAnswer = ({ status, error, milliseconds }) =>
  `${status ? `answered ${status}` : `no answer: ${NO_ANSWER[error] ?? words(error)}`}, ${milliseconds} ms`;

const isTaken = ({ status }) => status >= 200 && status < 300;

const ENDPOINT_COLUMNS = [
  {
    name: "Address",
    wide: true,
    of: (one) => html`<a href=${`#/endpoints/${one.endpoint_id}`}>${one.url}</a>`,
  },
  { name: "State", of: (one) => html`<${Status} of=${one.state} />` },
  { name: "Gets", wide: true, of: (one) => describeTypes(one.types) },
  {
    name: "Last delivered",
    of: (one) => html`<${Ago} at=${one.last_success_at} />`,
  },
  { name: "Last answer", number: true, of: (one) => one.last_status ?? "–" },
];

/** All endpoints, and on demand what adds one. */
export function Endpoints() {
  const [adds, setAdds] = useState(false);
  const list = useList("endpoints", {}, { every: 15 });
  const add = html`<${Button} primary onClick=${() => setAdds(true)}>Add an endpoint<//>`;
  const none = html`<${Empty} title="There are no endpoints yet">An endpoint is an address of your application that is told when a refresh ends, or a user must sign in again.<//>`;
  return html`
    <${Page} title="Webhooks" actions=${!adds && add}>
      ${adds && html`<${Add} onClose=${() => setAdds(false)} onAdded=${list.reload} />`}
      ${list.known && html`<${Table} caption="Endpoints" columns=${ENDPOINT_COLUMNS} rows=${list.items} keyOf=${(one) => one.endpoint_id} empty=${none} />`}
      <${More} list=${list} />
    <//>`;
}

const SECRET_ONCE =
  "It is shown this once. Keep it where your receiver verifies signatures with it.";

function Add({ onClose, onAdded }) {
  const [added, setAdded] = useState(null);
  const action = useAction();
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const kinds = given.getAll("kind");
    const body = {
      url: given.get("url").trim(),
      asymmetric: given.has("asymmetric"),
    };
    if (kinds.length < Object.keys(KINDS).length) body.types = kinds.map((kind) => `${kind}.*`);
    if (given.get("provider")) body.provider = given.get("provider");
    action.run(async () => {
      setAdded(await ask("POST", "endpoints", { body }));
      onAdded();
    });
  };
  if (added) {
    return html`
      <${Section} title="The endpoint is added">
        <div class="panel">
          <${Secret} label="Signing secret" value=${added.secret} />
          <p>${SECRET_ONCE}</p>
          ${added.public_key && html`<p>Its public key: <code>${added.public_key}</code></p>`}
          <div class="actions">
            <a class="button primary" href=${`#/endpoints/${added.endpoint_id}`}>Open the endpoint</a>
            <${Button} onClick=${onClose}>I have kept it<//>
          </div>
        </div>
      <//>`;
  }
  return html`
    <${Section} title="Add an endpoint">
      <form class="panel" onSubmit=${submit}>
        <div class="fields">
          <${Field} label="Address" hint="Of a public host, by https. It is called by POST.">
            <input type="url" name="url" required maxlength="2000" placeholder="https://app.example.com/hooks" />
          <//>
          <${Field} label="About connections of">
            <select name="provider">
              <option value="">all providers</option>
              ${PROVIDER_OPTIONS.map(([of, name]) => html`<option key=${of} value=${of}>${name}</option>`)}
            </select>
          <//>
        </div>
        <fieldset>
          <legend>Tell it of</legend>
          ${Object.entries(KINDS).map(
            ([kind, text]) => html`
            <label class="check" key=${kind}><input type="checkbox" name="kind" value=${kind} defaultChecked /> ${text}</label>`,
          )}
        </fieldset>
        <label class="check"><input type="checkbox" name="asymmetric" /> Sign with a key pair, too, so that the receiver needs no secret</label>
        <${Outcome} of=${action} />
        <div class="actions">
          <${Button} type="submit" primary busy=${action.busy}>Add it<//>
          <${Button} onClick=${onClose}>Cancel<//>
        </div>
      </form>
    <//>`;
}

/** One endpoint: how it stands, what can be done, and its deliveries. */
export function Endpoint({ id }) {
  const path = `endpoints/${id}`;
  const endpoint = useResource(path, { every: 10 });
  const [deleted, setDeleted] = useState(false);
  if (deleted)
    return html`
      <${Page} title="The endpoint is deleted">
        <p>What waited for it is gone. One delivery that was under way may still arrive.</p>
        <p><a href="#/endpoints">All endpoints</a></p>
      <//>`;
  return html`
    <${Page} title="Endpoint" above=${html`<${Id} id=${id} full />`}>
      <${Loaded} of=${endpoint}>${(data) => html`
        <${Notice} tone=${{ enabled: "good", failing: "warn", disabled: "bad" }[data.state]} title=${data.url}>
          <p><${Status} of=${data.state} /> ${STATES[data.state]} ${data.why}</p>
        <//>
        <${Facts} of=${[
          ["Gets", describeTypes(data.types)],
          ["About connections of", data.provider ? nameProvider(data.provider) : "all providers"],
          [
            "Only of",
            data.connection_ids.length > 0 && `${data.connection_ids.length} connections`,
          ],
          ["Last delivered", data.last_success_at && html`<${Ago} at=${data.last_success_at} />`],
          ["Last answer", data.last_status],
          ["Failing since", data.failing_since && html`<${Time} at=${data.failing_since} />`],
          [
            "Nothing is sent before",
            data.blocked_until && html`<${Time} at=${data.blocked_until} />`,
          ],
          [
            "The secret before signs until",
            data.previous_secret_until && html`<${Time} at=${data.previous_secret_until} />`,
          ],
          ["Public key", data.public_key && html`<code>${data.public_key}</code>`],
          ["Added", html`<${Ago} at=${data.created_at} />`],
        ]} />
        <${Actions} path=${path} endpoint=${data} reload=${endpoint.reload} onDeleted=${() => setDeleted(true)} />
        <${Deliveries} path=${path} />
      `}<//>
    <//>`;
}

function Actions({ path, endpoint: { url, state, endpoint_id: id }, reload, onDeleted }) {
  const [secret, setSecret] = useState(null);
  const [leaked, setLeaked] = useState(false);
  const action = useAction();
  const isOn = ["enabled", "failing"].includes(state);
  const ping = () =>
    action.run(async () => {
      const answer = await ask("POST", `${path}/ping`);
      const told = `The endpoint has ${describeAnswer(answer)}.`;
      if (!isTaken(answer))
        throw new Error(`${told} A delivery is taken only by an answer of 2xx.`);
      return told;
    });
  const setEnabled = (enabled) =>
    action.run(async () => {
      await ask("PATCH", path, { body: { enabled } });
      reload();
      return enabled
        ? "It is enabled: what waits for it is sent now."
        : "It is paused: what is to be delivered waits.";
    });
  const rotate = async () => {
    const body = { overlap_seconds: leaked ? 0 : DAY };
    setSecret(await ask("POST", `${path}/secret`, { body }));
    reload();
  };
  const erase = async () => {
    await ask("DELETE", path);
    onDeleted();
  };
  return html`
    <${Section} title="What you can do">
      <div class="panel">
        <div class="actions">
          <${Button} primary onClick=${ping}>Send a ping<//>
          <${Button} onClick=${() => setEnabled(!isOn)}>${isOn ? "Pause" : "Enable"}<//>
          <${Confirm} label="Replace the secret" text=${html`
            <span>A new secret signs from now on. For a day the old one signs, too, so that your receiver can change over.</span>
            <label class="check"><input type="checkbox" checked=${leaked} onChange=${(event) => setLeaked(event.target.checked)} /> Others know the old one: it signs nothing more</label>`}
            onConfirm=${rotate} />
          <${Confirm} label="Delete" title="Delete the endpoint" text=${`${url} is told nothing more, and what waits for it is lost.`} typed=${id} danger onConfirm=${erase} />
        </div>
        <${Outcome} of=${action} />
        ${secret && html`<${Secret} label="The new signing secret" value=${secret.secret} /><p>${SECRET_ONCE}</p>`}
      </div>
    <//>
    <${Replay} path=${path} />`;
}

const SPANS = [
  [3600, "the last hour"],
  [DAY, "the last day"],
  [7 * DAY, "the last week"],
  [30 * DAY, "the last 30 days"],
];
const ONLY = [
  ["failed", "those that failed"],
  ["missing", "those it never got"],
  ["all", "all that it wants"],
];

function Replay({ path }) {
  const [span, setSpan] = useState(DAY);
  const [only, setOnly] = useState("failed");
  const action = useAction();
  const replay = () =>
    action.run(async () => {
      const body = {
        since: new Date(Date.now() - span * 1000).toISOString(),
        only,
      };
      let queued = 0;
      for (let cursor; cursor !== null; ) {
        const told = await ask("POST", `${path}/replay`, {
          body: cursor ? { ...body, cursor } : body,
        });
        queued += told.queued;
        cursor = told.next_cursor;
      }
      if (queued === 0) return "There is no such event: nothing is delivered again.";
      return `${queued} ${queued === 1 ? "event is" : "events are"} delivered again now.`;
    });
  return html`
    <${Section} title="Deliver again">
      <form class="filters" onSubmit=${(event) => event.preventDefault()}>
        <${Select} label="Events of" value=${span} options=${SPANS} onChange=${(value) => setSpan(Number(value))} />
        <${Select} label="Of these" value=${only} options=${ONLY} onChange=${setOnly} />
        <${Button} onClick=${replay}>Deliver them again<//>
      </form>
      <${Outcome} of=${action} />
    <//>`;
}

const DELIVERY_STATES = ["pending", "delivered", "failed", "gone"];

function Deliveries({ path }) {
  const [status, setStatus] = useState("");
  const list = useList(`${path}/deliveries`, { status, limit: 50 }, { every: 10 });
  const columns = [
    { name: "Happened", of: (one) => html`<${Ago} at=${one.time} />` },
    {
      name: "Event",
      of: (one) => html`${one.type}<div class="small"><${Id} id=${one.event_id} /></div>`,
    },
    { name: "Status", of: (one) => html`<${Status} of=${one.status} />` },
    {
      name: "Next attempt",
      of: (one) => html`<${Ago} at=${one.next_attempt_at} />`,
    },
    {
      name: "Attempts",
      wide: true,
      of: (one) => html`<${Attempts} attempts=${one.attempts} />`,
    },
    {
      name: "Again",
      of: (one) => html`<${Again} key=${one.attempts.length} path=${path} delivery=${one} />`,
    },
  ];
  const none = html`<${Empty} title="There is no delivery here">Send a ping to try the endpoint. Pings do not stand in this list.<//>`;
  return html`
    <${Section} title="Deliveries" aside="of the last 30 days, newest first">
      <form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
        <${Select} label="Status" value=${status} options=${[["", "any"], ...DELIVERY_STATES]} onChange=${setStatus} />
      </form>
      ${list.known && html`<${Table} caption="Deliveries, newest first" columns=${columns} rows=${list.items} keyOf=${(one) => one.event_id} empty=${none} />`}
      <${More} list=${list} />
    <//>`;
}

function Attempts({ attempts }) {
  if (attempts.length === 0) return html`<span class="none">none yet</span>`;
  return html`
    <details>
      <summary>${attempts.length}, the last ${describeAnswer(attempts.at(-1))}</summary>
      <ul>${attempts.map((one) => html`<li key=${one.at}><${Time} at=${one.at} />: ${describeAnswer(one)}</li>`)}</ul>
    </details>`;
}

function Again({ path, delivery: { event_id: id, status } }) {
  const action = useAction();
  if (["pending", "gone"].includes(status)) return null;
  const replay = () =>
    action.run(async () => {
      await ask("POST", `${path}/replay`, { body: { event_ids: [id] } });
      return "on its way";
    });
  return html`<${Button} onClick=${replay} disabled=${action.told}>Deliver again<//><${Outcome} of=${action} />`;
}

const EVENT_PAGES = 20;
const EVENT_COLUMNS = [
  { name: "When", of: (one) => html`<${Time} at=${one.time} />` },
  { name: "Event", of: (one) => one.type },
  {
    name: "About",
    of: (one) =>
      html`<${Id} id=${one.subject} to=${one.subject.startsWith("ref_") ? `#/refreshes/${one.subject}` : null} />`,
  },
  { name: "Event's id", of: (one) => html`<${Id} id=${one.id} full />` },
];

/** The events of a connection, on demand: the log gives the oldest first, here the newest are. */
export function Events({ id }) {
  const [found, setFound] = useState(null);
  const action = useAction();
  const read = () =>
    action.run(async () => {
      const events = [];
      let page = { more: true };
      for (let pages = 0; page.more && pages < EVENT_PAGES; pages++) {
        page = await ask("GET", "events", {
          query: { connection_id: id, cursor: page.next_cursor },
        });
        events.push(...page.events);
      }
      setFound({ events: events.reverse(), more: page.more });
    });
  return html`
    <${Section} title="Events" aside="of the last 30 days, as your endpoints are told of them">
      ${!found && html`<${Button} onClick=${read}>Show the events<//>`}
      <${Outcome} of=${action} />
      ${found?.more && html`<p>These are the oldest ${found.events.length}. The API has the others.</p>`}
      ${found && html`<${Table} caption="Events, newest first" columns=${EVENT_COLUMNS} rows=${found.events} keyOf=${(one) => one.id} empty=${html`<${Empty} title="There was none">An event is listed 30 seconds after it happened.<//>`} />`}
    <//>`;
}
