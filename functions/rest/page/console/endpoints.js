import { Empty, html, Page } from "./parts.js";

export function Endpoints() {
  return html`<${Page} title="Webhooks"><${Empty} title="Nothing here yet" /><//>`;
}

export function Endpoint({ id }) {
  return html`<${Page} title="Webhook endpoint" above=${id}><${Empty} title="Nothing here yet" /><//>`;
}
