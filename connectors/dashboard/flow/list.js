// @ts-check
// The same as the picture, as a list: for narrow screens, and for those who read line by line.
import { count, rate, seconds } from "/assets/format.js";
import { reader, stateOf } from "/assets/flow/model.js";
import { STATES } from "/assets/flow/words.js";
import { html } from "/assets/html.js";

/** @param {{picture: import("/assets/flow/model.js").Picture, now: import("/assets/flow/model.js").Now | null, choose: (id: string) => void}} props */
export function List({ picture, now, choose }) {
  return picture.lanes.map((lane) => html`
    <section key=${lane.name} class="lane-list">
      <h2>${lane.name}</h2>
      <div class="cards">
        ${picture.cards.filter((card) => card.lane === lane.name).map((card) => html`<${Item} key=${card.id} card=${card} now=${now} choose=${choose} />`)}
      </div>
    </section>`);
}

/** @param {{card: import("/assets/flow/model.js").Card, now: import("/assets/flow/model.js").Now | null, choose: (id: string) => void}} props */
function Item({ card, now, choose }) {
  const state = stateOf(now, card);
  return html`
    <article class="item panel ${state === null ? "source" : STATES[state].tone}">
      <h3><button onClick=${() => choose(card.id)}>${card.name}</button> <span class="state">${state === null ? "source" : STATES[state].word}</span></h3>
      <ul>
        ${card.inputs.map((port) => {
          const found = reader(now, card.name, port.topic);
          return html`<li key=${port.topic}><span class="way" aria-label="reads">←</span><span class="topic">${port.topic}</span><span class="value ${STATES[found.state].tone}" title=${`${count(found.lag)} records`}>${found.state === "IDLE" ? "idle" : seconds(found.lag_s)}</span></li>`;
        })}
        ${card.outputs.map((port) => html`<li key=${port.topic}><span class="way" aria-label="writes">→</span><span class="topic">${port.topic}</span><span class="value">${rate(now?.topics[port.topic]?.rate_per_s)}/s</span></li>`)}
      </ul>
    </article>
  `;
}
