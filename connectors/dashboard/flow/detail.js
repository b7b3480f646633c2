// @ts-check
// One card in full: each input with its partitions, each output with its readers, and what to do.
import { useEffect, useRef } from "preact/hooks";
import { clock, count, rate, seconds, utc } from "/assets/format.js";
import { reader, stateOf } from "/assets/flow/model.js";
import { STATES } from "/assets/flow/words.js";
import { html } from "/assets/html.js";

/** @param {{card: import("/assets/flow/model.js").Card, picture: import("/assets/flow/model.js").Picture, now: import("/assets/flow/model.js").Now | null, close: () => void, choose: (id: string) => void}} props */
export function Detail({ card, picture, now, close, choose }) {
  const state = stateOf(now, card);
  const closing = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => closing.current?.focus(), [card.id]);
  return html`
    <aside class="detail panel" aria-label=${`${card.name} in full`}>
      <header>
        <h2>${card.name}</h2>
        ${state !== null && html`<span class="badge ${STATES[state].tone}">${STATES[state].word}</span>`}
        <span class="fill"></span>
        <button class="quiet" ref=${closing} onClick=${close} aria-label="Close">✕</button>
      </header>
      ${state !== null && html`<p>${STATES[state].means} ${STATES[state].remedy}</p>`}
      ${card.inputs.length > 0 && html`<h3>Reads</h3>`}
      ${card.inputs.map((port) => html`<${Input} key=${port.topic} card=${card} topic=${port.topic} now=${now} />`)}
      ${card.outputs.length > 0 && html`<h3>Writes</h3>`}
      ${card.outputs.map((port) => html`
        <section key=${port.topic}>
          <h4>${port.topic}</h4>
          <p class="facts"><span>${rate(now?.topics[port.topic]?.rate_per_s)} records/s</span><span>${count(now?.topics[port.topic]?.records)} in all</span></p>
          <p class="readers">${picture.cards.filter((other) => other.inputs.some((one) => one.topic === port.topic)).map((other) => html`<button class="link" key=${other.id} onClick=${() => choose(other.id)}>→ ${other.name}</button>`)}</p>
        </section>`)}
    </aside>
  `;
}

/** @param {{card: import("/assets/flow/model.js").Card, topic: string, now: import("/assets/flow/model.js").Now | null}} props */
function Input({ card, topic, now }) {
  const found = reader(now, card.name, topic);
  return html`
    <section>
      <h4>${topic} <span class="badge ${STATES[found.state].tone}">${STATES[found.state].word}</span></h4>
      <p class="facts">
        <span>${count(found.lag)} records</span><span>${seconds(found.lag_s)} behind</span>
        ${found.catch_up_s ? html`<span>caught up in ${seconds(found.catch_up_s)}</span>` : ""}
        ${found.since ? html`<span title=${utc(found.since)}>since ${clock(found.since)}</span>` : ""}
      </p>
      ${found.partitions.length > 0 && html`
        <table>
          <thead><tr><th>partition</th><th>records</th><th>behind</th><th>state</th></tr></thead>
          <tbody>${found.partitions.map((one) => html`<tr key=${one.partition}><td>${one.partition}</td><td>${count(one.lag)}</td><td>${seconds(one.lag_s)}</td><td>${STATES[one.state].word}</td></tr>`)}</tbody>
        </table>`}
    </section>
  `;
}
