// @ts-check
// What a person sees first: the numbers that sum it up, and what needs a look.
import { clock, count, rate, seconds } from "/assets/format.js";
import { shortName } from "/assets/flow/model.js";
import { STATES } from "/assets/flow/words.js";
import { html } from "/assets/html.js";

const TOPICS = [["market.ticks", "Ticks"], ["execution.order_requests", "Orders"], ["execution.fills", "Fills"]];
const MOST_SHOWN = 4;

/** @param {{now: any, system: any, readers: any[]}} props */
export function Summary({ now, system, readers }) {
  const behind = readers.filter((one) => one.lag_s !== null).sort((a, b) => b.lag_s - a.lag_s)[0];
  const well = readers.filter((one) => ["OK", "IDLE", "CATCHING_UP"].includes(one.state)).length;
  const processes = system?.processes ?? [];
  const running = processes.filter((/** @type {any} */ one) => !one.down && !one.stands_still).length;
  const parts = processes.length + (system?.services.length ?? 0);
  const up = system?.services.filter((/** @type {any} */ one) => one.healthy).length;
  return html`
    <dl class="tiles">
      ${TOPICS.map(([topic, name]) => html`<${Tile} key=${topic} name=${name} value=${rate(now?.topics[topic ?? ""]?.rate_per_s)} unit="/s" />`)}
      <${Tile} name="Longest lag" value=${behind ? seconds(behind.lag_s) : "–"} note=${behind && behind.lag_s >= 0.05 ? `${behind.card.name} ← ${shortName(behind.topic)}` : ""} tone=${behind ? STATES[behind.state].tone : ""} />
      <${Tile} name="Readers keep up" value=${`${well}`} unit=${` of ${readers.length}`} tone=${well < readers.length ? "warn" : "ok"} />
      <${Tile} name="Running" value=${system ? `${running + up}` : "–"} unit=${system ? ` of ${parts}` : ""} title="Processes and services" tone=${system && running + up < parts ? "bad" : "ok"} />
    </dl>
  `;
}

/** @param {{name: string, value: string, unit?: string, note?: string, tone?: string, title?: string}} props */
function Tile({ name, value, unit = "", note = "", tone = "", title = "" }) {
  return html`<div class="tile ${tone}" title=${title}><dt>${name}</dt><dd>${value}<small>${unit}</small>${note && html`<small class="note" title=${note}>${note}</small>`}</dd></div>`;
}

/** What stands still, since when, and what to do. @param {{old: number | null, known: boolean, found: any[], system: any, choose: (id: string) => void}} props */
export function Attention({ old, known, found, system, choose }) {
  if (old !== null) {
    return html`<p class="attention late" role="alert"><strong>These numbers are of ${clock(old)}.</strong> None have come since. The page connects again by itself; ./dev status shows the same in a terminal.</p>`;
  }
  const down = (system?.services ?? []).filter((/** @type {any} */ one) => !one.healthy);
  const still = (system?.processes ?? []).filter((/** @type {any} */ one) => one.down || one.stands_still);
  if (found.length + down.length + still.length === 0) {
    return html`<p class="attention well" role="status">${known ? "Everything that should read keeps up." : "Waiting for the first look at Kafka."}</p>`;
  }
  const at = Date.now() / 1000;
  return html`
    <div role="status"><ul class="attention" aria-label="Needs a look">
      ${down.map((/** @type {any} */ one) => html`<li class="bad" key=${one.name}><strong>${one.name} does not answer.</strong>${" "}<span>${one.detail}</span></li>`)}
      ${still.map((/** @type {any} */ one) => html`<li class="bad" key=${one.name}><strong>Process ${one.name}: ${one.down ? one.phase : "not ready"}.</strong>${" "}<span>${one.reasons[0] ?? "./dev logs " + one.name + " shows its last words."}</span></li>`)}
      ${found.slice(0, MOST_SHOWN).map((one) => html`
        <li class=${STATES[one.state].tone} key=${one.card.id + one.topic}>
          <button onClick=${() => choose(one.card.id)}>${one.card.name} ← ${one.topic}</button>
          ${" "}<strong>${STATES[one.state].word}</strong>${one.since ? ` for ${seconds(Math.max(0, at - one.since))}` : ""}: ${count(one.lag)} records, ${seconds(one.lag_s)} behind.${" "}
          <span class="remedy">${STATES[one.state].remedy}</span>
        </li>`)}
      ${found.length > MOST_SHOWN && html`<li class="more">and ${found.length - MOST_SHOWN} more</li>`}
    </ul></div>
  `;
}
