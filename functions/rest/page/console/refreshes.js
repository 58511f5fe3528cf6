import { Empty, html, Page } from "./parts.js";

export function Refreshes() {
  return html`<${Page} title="Refreshes"><${Empty} title="Nothing here yet" /><//>`;
}

export function Refresh({ id }) {
  return html`<${Page} title="Refresh" above=${id}><${Empty} title="Nothing here yet" /><//>`;
}
