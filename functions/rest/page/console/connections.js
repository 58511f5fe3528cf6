import { Empty, html, Page, words } from "./parts.js";

const PROVIDERS = { banno: "Banno", digime: "digi.me", endgrate: "Endgrate" };

export const PROVIDER_OPTIONS = Object.entries(PROVIDERS);

export const nameProvider = (provider) => PROVIDERS[provider] ?? provider;

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

export function Connections() {
  return html`<${Page} title="Connections"><${Empty} title="Nothing here yet" /><//>`;
}
