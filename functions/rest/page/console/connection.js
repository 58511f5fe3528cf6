import { Empty, html, Page } from "./parts.js";

export function ConnectionPage({ id }) {
  return html`<${Page} title="Connection" above=${id}><${Empty} title="Nothing here yet" /><//>`;
}
