import { Empty, html, Page } from "./parts.js";

export function Connections() {
  return html`<${Page} title="Connections"><${Empty} title="Nothing here yet" /><//>`;
}
