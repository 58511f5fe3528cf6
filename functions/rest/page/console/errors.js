// Every error that the API names: what it is, who has to act, and what to do.
import { useErrors } from "./api.js";
import {
  Facts,
  html,
  Loading,
  Notice,
  Page,
  Problem,
  Section,
  Table,
  WHO,
  words,
} from "./parts.js";

export function Errors({ name }) {
  const { errors, find, problem } = useErrors();
  const error = name && find(name);
  const above = name && html`<a href="#/errors">Errors</a>`;
  return html`
    <${Page} title=${name || "Errors"} above=${above}>
      ${!name && html`<p class="lead">What can go wrong, who has to act, and what to do.</p>`}
      <${Problem} problem=${problem} />
      ${!problem && errors.length === 0 && html`<${Loading} />`}
      ${!name && byAction(errors).map(([action, group]) => html`<${Group} key=${action} action=${action} errors=${group} />`)}
      ${error && html`<${OneError} error=${error} />`}
      ${name && !error && errors.length > 0 && html`<${Notice} tone="warn" title="The API has no error of this name"><p><a href="#/errors">See them all.</a></p><//>`}
    <//>`;
}

function byAction(errors) {
  const actions = [...new Set(errors.map((error) => error.action))];
  return actions.map((action) => [action, errors.filter((error) => error.action === action)]);
}

function Group({ action, errors }) {
  const columns = [
    { name: "Error", of: ({ name }) => html`<a href=${`#/errors/${name}`}>${name}</a>` },
    { name: "What it is", wide: true, of: ({ detail }) => detail },
  ];
  return html`
    <${Section} title=${words(action).replace(/^./, (letter) => letter.toUpperCase())}>
      <p class="lead">${WHO[errors[0].who_acts]} ${errors[0].to_do}</p>
      <${Table} caption=${`Errors: ${words(action)}`} columns=${columns} rows=${errors} keyOf=${({ name }) => name} />
    <//>`;
}

function OneError({ error }) {
  return html`
    <p class="lead">${error.detail}</p>
    <${Facts} of=${[
      ["Who acts", WHO[error.who_acts]],
      ["What to do", error.to_do],
      ["Action", html`<code>${error.action}</code>`],
      ["Status, where a request is answered so", error.status],
      ["Type of the problem", html`<code>${error.type}</code>`],
    ]} />`;
}
