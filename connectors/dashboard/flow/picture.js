// @ts-check
// The picture: cards in lanes, wires between them, a rate at each topic and a lag at each reader.
import { useMemo, useState } from "preact/hooks";
import { count, rate, seconds } from "/assets/format.js";
import { lit, reader, shortName, stateOf } from "/assets/flow/model.js";
import { STATES } from "/assets/flow/words.js";
import { html } from "/assets/html.js";

const PILL = { width: 40, height: 15 };
const FLOWS = 0.05; // records a second, under which a wire counts as still

/** @typedef {import("/assets/flow/model.js").Card} Card */
/** @typedef {import("/assets/flow/model.js").Now} Now */
/** @typedef {{card?: string, topic?: string} | null} Focus */

/** @param {{picture: import("/assets/flow/model.js").Picture, now: Now | null, chosen: string | null, choose: (id: string | null) => void}} props */
export function PictureOf({ picture, now, chosen, choose }) {
  const [pointed, point] = useState(/** @type {Focus} */ (null));
  const focus = pointed ?? (chosen ? { card: chosen } : null);
  const names = useMemo(() => new Map(picture.cards.map((card) => [card.id, card.name])), [picture]);
  return html`
    <svg class="picture ${focus ? "focused" : ""}" viewBox="0 0 ${picture.width} ${picture.height}" role="group" aria-label="Who writes and reads which topic">
      ${picture.lanes.map((lane) => html`
        <g key=${lane.name}>
          <rect class="lane" x="0" y=${lane.y} width=${picture.width} height=${lane.height} rx="10" />
          <text class="lane-name" x="14" y=${lane.y + 18}>${lane.name}</text>
        </g>`)}
      <g class="wires">
        ${picture.wires.map((wire) => {
          const state = reader(now, names.get(wire.target) ?? "", wire.topic).state;
          const flows = (now?.topics[wire.topic]?.rate_per_s ?? 0) >= FLOWS;
          return html`<path key=${`${wire.topic} ${wire.source} ${wire.target}`} class="wire ${flows ? "flows" : ""} ${STATES[state].tone} ${lit(wire, focus) ? "lit" : ""}" d=${wire.path} />`;
        })}
      </g>
      ${picture.cards.map((card) => html`<${CardOf} key=${card.id} card=${card} width=${picture.card_width} now=${now} chosen=${card.id === chosen} point=${point} choose=${choose} />`)}
    </svg>
  `;
}

/** @param {{card: Card, width: number, now: Now | null, chosen: boolean, point: (focus: Focus) => void, choose: (id: string | null) => void}} props */
function CardOf({ card, width, now, chosen, point, choose }) {
  const state = stateOf(now, card);
  const tone = state === null ? "source" : STATES[state].tone;
  /** @param {KeyboardEvent} event */
  function pressed(event) {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(chosen ? null : card.id);
  }
  const label = state === null ? `${card.name}, a source` : `${card.name}: ${STATES[state].word}`;
  return html`
    <g class="card ${card.kind} ${tone} ${chosen ? "chosen" : ""}" tabindex="0" role="button" aria-label=${label} aria-pressed=${chosen}
       onClick=${() => choose(chosen ? null : card.id)} onKeyDown=${pressed}
       onPointerEnter=${() => point({ card: card.id })} onPointerLeave=${() => point(null)}
       onFocus=${() => point({ card: card.id })} onBlur=${() => point(null)}>
      <title>${label}</title>
      <rect class="box" x=${card.x} y=${card.y} width=${width} height=${card.height} rx="7" />
      <${Mark} kind=${card.kind} x=${card.x + 14} y=${card.y + 14} />
      <text class="name" x=${card.x + 25} y=${card.y + 18.5}>${clipped(card.name, 15)}</text>
      ${card.outputs.map((port) => html`
        <g key=${port.topic} class="output" onPointerEnter=${() => point({ card: card.id, topic: port.topic })} onPointerLeave=${() => point({ card: card.id })}>
          <title>${port.topic}: ${count(now?.topics[port.topic]?.records)} records since the last reset</title>
          <rect class="hit" x=${card.x + 1} y=${port.y - 13} width=${width - 2} height="26" />
          <text class="topic" x=${card.x + width - 10} y=${port.y - 0.5}>${clipped(shortName(port.topic), 17)}</text>
          <text class="rate ${(now?.topics[port.topic]?.rate_per_s ?? 0) >= FLOWS ? "flows" : ""}" x=${card.x + width - 10} y=${port.y + 11}>${rate(now?.topics[port.topic]?.rate_per_s)}<tspan class="unit">/s</tspan></text>
          <circle class="port" cx=${card.x + width} cy=${port.y} r="2.6" />
        </g>`)}
      ${card.inputs.map((port) => html`<${Lag} key=${port.topic} x=${card.x} y=${port.y} card=${card} topic=${port.topic} now=${now} point=${point} />`)}
    </g>
  `;
}

/** @param {{x: number, y: number, card: Card, topic: string, now: Now | null, point: (focus: Focus) => void}} props */
function Lag({ x, y, card, topic, now, point }) {
  const found = reader(now, card.name, topic);
  const { tone, word } = STATES[found.state];
  const text = found.state === "IDLE" ? "idle" : seconds(found.lag_s);
  return html`
    <g class="lag ${tone}" onPointerEnter=${() => point({ card: card.id, topic })} onPointerLeave=${() => point({ card: card.id })}>
      <title>${card.name} ← ${topic}: ${word}, ${count(found.lag)} records, ${seconds(found.lag_s)} behind</title>
      <rect class="pill" x=${x - PILL.width - 3} y=${y - PILL.height / 2} width=${PILL.width} height=${PILL.height} rx=${PILL.height / 2} />
      <text x=${x - PILL.width / 2 - 3} y=${y + 3.6}>${text}</text>
      <circle class="port" cx=${x} cy=${y} r="2.6" />
    </g>
  `;
}

/** Tells kinds apart by shape as well as by colour. @param {{kind: string, x: number, y: number}} props */
function Mark({ kind, x, y }) {
  if (kind === "source") return html`<path class="mark" d="M${x - 4},${y - 4.5} L${x + 4.5},${y} L${x - 4},${y + 4.5} Z" />`;
  if (kind === "sink") return html`<path class="mark" d="M${x - 4.5},${y - 4.5} h9 v2.4 h-9 z M${x - 4.5},${y - 1} h9 v2.4 h-9 z M${x - 4.5},${y + 2.5} h9 v2.4 h-9 z" />`;
  return html`<circle class="mark" cx=${x} cy=${y} r="4.4" />`;
}

/** @param {string} text @param {number} most */
function clipped(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
