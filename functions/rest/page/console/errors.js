// Every error that the API names: what it is, who has to act, and what to do.
import { useErrors } from "./api.js";
import { Facts, html, Notice, Page, Table, WHO, words } from "./parts.js";

export function Errors({ name }) {
  const { errors, find } = useErrors();
  const chosen = name && find(name);
  if (name) {
    return html`
      <${Page} title=${words(name)} above=${html`<a href="#/errors">Errors</a>`}>
        ${chosen && html`<${OneError} error=${chosen} />`}
        ${!chosen && errors.length > 0 && html`<${Notice} tone="warn" title="The API has no error of this name"><p><a href="#/errors">See them all.</a></p><//>`}
      <//>`;
  }
  const columns = [
    { name: "Error", of: (error) => html`<a href=${`#/errors/${error.name}`}>${error.name}</a>` },
    { name: "What", wide: true, of: (error) => error.detail },
    { name: "Who acts", of: (error) => words(error.who_acts) },
    { name: "What to do", wide: true, of: (error) => error.to_do },
  ];
  return html`
    <${Page} title="Errors">
      <p class="lead">What can go wrong, who has to act, and what to do.</p>
      ${errors.length > 0 && html`<${Table} caption="Errors" columns=${columns} rows=${errors} keyOf=${(error) => error.name} />`}
    <//>`;
}

function OneError({ error }) {
  return html`
    <p class="lead">${error.detail}</p>
    <${Facts} of=${[
      ["Who acts", WHO[error.who_acts] ?? words(error.who_acts)],
      ["What to do", error.to_do],
      ["Action", html`<code>${error.action}</code>`],
      ["Status of an answer", error.status],
      ["Type of the problem", html`<code>${error.type}</code>`],
    ]} />`;
}
