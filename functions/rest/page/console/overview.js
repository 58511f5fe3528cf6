import { Empty, html, Page } from "./parts.js";

export function Overview() {
  return html`<${Page} title="Overview"><${Empty} title="Nothing here yet" /><//>`;
}
