import { Empty, html, Page } from "./parts.js";

export function BulkRuns() {
  return html`<${Page} title="Bulk runs"><${Empty} title="Nothing here yet" /><//>`;
}

export function BulkRun({ id }) {
  return html`<${Page} title="Bulk run" above=${id}><${Empty} title="Nothing here yet" /><//>`;
}

export function Pushes() {
  return html`<${Page} title="Pushes"><${Empty} title="Nothing here yet" /><//>`;
}

export function Push({ id }) {
  return html`<${Page} title="Push" above=${id}><${Empty} title="Nothing here yet" /><//>`;
}
