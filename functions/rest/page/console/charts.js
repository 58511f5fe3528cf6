// Charts as plain SVG. Places are in per cent of the width, so that text and dots keep their size
// on every screen; colours are in console.css. What a picture shows stands beside it in words.
import { duration, Empty, html, Table, useId } from "./parts.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Where a scale may have a tick, in seconds. */
const TICKS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20],
  ...[1, 2, 5, 10, 30].map((minutes) => minutes * MINUTE),
  ...[1, 3, 12].map((hours) => hours * HOUR),
  ...[1, 3, 7, 30, 90].map((days) => days * DAY),
  ...[1, 3, 10].map((years) => years * YEAR),
];
const MOST_TICKS = 8; // with a label; more would touch each other
const HEIGHT = 40;
const COLUMN = 1.4; // the width of a column of dots, in per cent

const isKnown = (seconds) => Number.isFinite(seconds);

/** Seconds in words, or that they are not known. */
export const span = (seconds) => (isKnown(seconds) ? duration(seconds) : "not known");

/** The value that this share of ascending values do not exceed; undefined where there is none. */
const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

/** A scale by powers, from the tick at or below the least value to the one that bounds the most. */
function scale(values) {
  const least = values.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
  const most = values.reduce((one, other) => Math.max(one, other), 0);
  const bound = TICKS.findIndex((tick) => tick >= most);
  const to = Math.max(1, bound < 0 ? TICKS.length - 1 : bound);
  const below = TICKS.findLastIndex((tick) => tick <= least);
  const from = Math.min(to - 1, Math.max(0, below));
  const [low, high] = [TICKS[from], TICKS[to]];
  const place = (value) => {
    const share = Math.log(Math.max(value, low) / low) / Math.log(high / low);
    return 3 + 94 * Math.min(1, share);
  };
  const each = Math.ceil((to - from + 1) / MOST_TICKS);
  return { place, ticks: TICKS.slice(from, to + 1).filter((_, index) => index % each === 0) };
}

const label = (tick) => (tick < YEAR ? duration(tick) : `${tick / YEAR} y`);

/** Dots in columns around the middle of a row; the more there are in one, the closer they stand. */
function stack(dots, place) {
  const columns = new Map();
  for (const dot of dots) {
    const key = Math.round(place(dot.seconds) / COLUMN);
    if (!columns.has(key)) columns.set(key, []);
    columns.get(key).push(dot);
  }
  return [...columns.values()].flatMap((column) => {
    const step = Math.min(7, (HEIGHT - 10) / column.length);
    return column.map(({ seconds, label }, index) => ({
      x: `${place(seconds)}%`,
      y: HEIGHT / 2 + (index - (column.length - 1) / 2) * step,
      title: `${label}: ${duration(seconds)}`,
    }));
  });
}

/**
 * A row for each name, a dot for each number of seconds, all on one scale, and the same as a table.
 * `rows` are `{name, points: [{seconds, label}]}`; seconds that are null are counted apart. `most`
 * is what the greatest is called. `columns` and `table` are a table of the caller's own.
 */
export function Strips({ title, note, rows, most, columns = describe(most), table }) {
  const id = useId();
  const known = rows.map(({ name, points }) => {
    const dots = points.filter(({ seconds }) => isKnown(seconds));
    const sorted = dots.map(({ seconds }) => seconds).sort((one, other) => one - other);
    return { name, dots, sorted, unknown: points.length - dots.length };
  });
  const values = known.flatMap(({ sorted }) => sorted);
  const { place, ticks } = scale(values);
  return html`
    <figure class="chart" aria-labelledby=${id}>
      <figcaption><h3 id=${id}>${title}</h3><p class="quiet">${note}</p></figcaption>
      ${values.length === 0 && html`<${Empty} title="Nothing to show yet" />`}
      ${
        values.length > 0 &&
        html`
          <div class="strips">
            ${known.map((row) => html`<${Strip} key=${row.name} row=${row} place=${place} ticks=${ticks} most=${most} />`)}
            <${Axis} place=${place} ticks=${ticks} />
          </div>`
      }
      ${
        rows.length > 0 &&
        html`
          <details class="fold">
            <summary>As a table</summary>
            <${Table} caption=${title} columns=${columns} rows=${table ?? known} />
          </details>`
      }
    </figure>`;
}

function Strip({ row: { name, dots, sorted, unknown }, place, ticks, most }) {
  const middle = `${place(quantile(sorted, 0.5))}%`;
  return html`
    <div class="strip">
      <span class="provider">${name}</span>
      <svg width="100%" height=${HEIGHT} aria-hidden="true">
        ${ticks.map((tick) => html`<line key=${tick} class="grid" x1=${`${place(tick)}%`} x2=${`${place(tick)}%`} y1="0" y2=${HEIGHT} />`)}
        ${stack(dots, place).map(
          ({ x, y, title }, index) =>
            html`<circle key=${index} cx=${x} cy=${y} r="4"><title>${title}</title></circle>`,
        )}
        ${sorted.length > 1 && html`<line class="middle" x1=${middle} x2=${middle} y1="2" y2=${HEIGHT - 2} />`}
      </svg>
      <span class="told">${tellValues(sorted, most)}${unknown > 0 && `, ${unknown} not known`}</span>
    </div>`;
}

function Axis({ place, ticks }) {
  const isMinor = (index) => ticks.length > MOST_TICKS / 2 && index % 2 === 1;
  return html`
    <div class="strip axis" aria-hidden="true">
      <svg width="100%" height="16">
        ${ticks.map(
          (tick, index) =>
            html`<text key=${tick} class=${isMinor(index) ? "minor" : null} x=${`${place(tick)}%`} y="12" text-anchor="middle">${label(tick)}</text>`,
        )}
      </svg>
    </div>`;
}

function tellValues(sorted, most) {
  if (sorted.length === 0) return "none";
  if (sorted.length === 1) return duration(sorted[0]);
  return `half up to ${duration(quantile(sorted, 0.5))}, ${most} ${duration(sorted.at(-1))}`;
}

function describe(most) {
  const at = (share) => (row) => (row.sorted.length ? duration(quantile(row.sorted, share)) : "–");
  return [
    { name: "Provider", of: ({ name }) => name },
    { name: "How many", number: true, of: ({ sorted }) => sorted.length },
    { name: "Half up to", number: true, of: at(0.5) },
    { name: "95 % up to", number: true, of: at(0.95) },
    { name: most, number: true, of: at(1) },
    { name: "Not known", number: true, of: ({ unknown }) => unknown },
  ];
}

/**
 * Phases that follow each other as one bar, with its legend. `phases` are `{kind, name, from, to}`
 * in milliseconds; `late` is how much of a phase's end is striped, `note` says what that means.
 */
export function Bar({ phases }) {
  const begin = phases[0].from;
  const total = Math.max(1, phases.at(-1).to - begin);
  const place = (at) => (100 * Math.min(Math.max(0, at - begin), total)) / total;
  const rect = (kind, from, to, fill) =>
    html`<rect class=${kind} fill=${fill} x=${`${place(from)}%`} width=${`${Math.max(0.3, place(to) - place(from))}%`} height="24" />`;
  return html`
    <div class="phases">
      <svg width="100%" height="24" aria-hidden="true">
        <defs>
          <pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect class="stripe" width="3" height="6" />
          </pattern>
        </defs>
        ${phases.map(({ kind, from, to, late = 0 }) => html`${rect(kind, from, to)}${late > 0 && rect("late", to - late, to, "url(#stripes)")}`)}
      </svg>
      <ul>
        ${phases.map(
          ({ kind, name, from, to, note }) => html`
            <li key=${kind}>
              <svg class="swatch" width="12" height="12" aria-hidden="true"><rect class=${kind} width="12" height="12" /></svg>${" "}
              ${name} <strong>${duration((to - from) / 1000)}</strong>${note && html`<span class="quiet">, ${note}</span>`}
            </li>`,
        )}
      </ul>
    </div>`;
}
