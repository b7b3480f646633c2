// @ts-check
// Balance: what flowed in against what flowed out, and whether each agent's journal repeats itself.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { clock, count, seconds, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, sentence, Tile, Trouble } from "/assets/parts.js";
import { post, Problem } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 3;

/** @typedef {{name: string, state: string, began: number, as_of: number | null, took_s: number, result: any, said: string}} Job */
/** @typedef {{name: string, left: number, right: number, waiting: number, differences: number, named: {at: string, said: string, tenant_id: string | null}[], note: string}} Equation */
/** @typedef {{agent: string, running: Job | null, last: Job | null}} Checked */

export function BalancePage() {
  const asked = useAsked("/streams/balance", EVERY_S);
  /** @type {Job | null} */
  const last = asked.data?.last ?? null;
  /** @type {Job | null} */
  const running = asked.data?.running ?? null;
  /** @type {Equation[] | null} */
  const equations = last?.result?.equations ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Balance</h1>
      <${Trouble} asked=${asked} />
      ${last?.state === "FAILED" && html`<div class="problem panel" role="alert"><strong>The last comparison failed.</strong> ${sentence(last.said)} ./dev balance shows the same in a terminal.</div>`}
      <${Sums} last=${last} running=${running} equations=${equations} />
      ${equations === null
        ? asked.data && running
          ? html`<p class="note-line" role="status">Kafka and PostgreSQL are being read: ${seconds(running.took_s)} so far.</p>`
          : asked.data === null
            ? html`<${Rows} rows=${6} />`
            : null
        : html`
          <${Table} label="Equations" columns=${COLUMNS} rows=${equations} id=${(/** @type {Equation} */ one) => one.name} first="" empty=${html`<strong>Nothing is compared yet.</strong>`} />
          <${Differences} equations=${equations} />`}
      <${Journals} />
    </main>`;
}

/** @param {{last: Job | null, running: Job | null, equations: Equation[] | null}} props */
function Sums({ last, running, equations }) {
  const broken = (equations ?? []).filter((one) => one.differences > 0);
  const waiting = (equations ?? []).reduce((sum, one) => sum + one.waiting, 0);
  return html`
    <dl class="tiles">
      <${Tile} name="Equations hold" value=${equations ? `${equations.length - broken.length} of ${equations.length}` : "–"} tone=${broken.length > 0 ? "bad" : ""} />
      <${Tile} name="Differences" value=${equations ? count(broken.reduce((sum, one) => sum + one.differences, 0)) : "–"} tone=${broken.length > 0 ? "bad" : ""} note=${broken[0]?.name ?? ""} />
      <${Tile} name="On their way" value=${equations ? count(waiting) : "–"} />
      <${Tile} name=${running ? "Compares again" : "Compared at"} value=${last?.as_of ? clock(last.as_of) : "–"} note=${last?.as_of ? utc(last.as_of) : ""} />
    </dl>`;
}

/** @type {import("/assets/table.js").Column<Equation>[]} */
const COLUMNS = [
  { key: "name", name: "Equation", value: (one) => one.name, cell: (one) => html`${one.name}${one.note && html`<span class="second">${sentence(one.note)}</span>`}` },
  { key: "state", name: "State", value: (one) => -one.differences, cell: (one) => html`<span class="badge ${one.differences > 0 ? "bad" : "ok"}">${one.differences > 0 ? "differs" : "holds"}</span>` },
  { key: "left", name: "Left", numeric: true, value: (one) => one.left, cell: (one) => count(one.left) },
  { key: "right", name: "Right", numeric: true, value: (one) => one.right, cell: (one) => count(one.right) },
  { key: "waiting", name: "On their way", numeric: true, title: "Written, and not yet taken by who must answer", value: (one) => one.waiting, cell: (one) => count(one.waiting) },
  { key: "differences", name: "Differences", numeric: true, value: (one) => one.differences, cell: (one) => count(one.differences) },
];

/** What breaks equations. @param {{equations: Equation[]}} props */
function Differences({ equations }) {
  const broken = equations.filter((one) => one.differences > 0);
  if (broken.length === 0) return null;
  return html`
    <section class="panel differences" aria-label="Differences">
      <h2>What breaks them</h2>
      ${broken.map((one) => html`
        <h3 key=${one.name}>${one.name}</h3>
        <ul>${one.named.map((each) => html`<li key=${each.at + each.said}><code>${each.at}</code> <${Said} said=${each.said} /></li>`)}</ul>
        ${one.differences > one.named.length && html`<p class="dim">${count(one.differences - one.named.length)} more differences.</p>`}`)}
    </section>`;
}

/** A sentence, in which the id of an order leads to its way. @param {{said: string}} props */
function Said({ said }) {
  const found = /^(.*order )([0-9a-f]{32})(.*)$/.exec(sentence(said));
  if (found === null) return html`<span>${sentence(said)}</span>`;
  return html`<span>${found[1]}<a href=${`/trace?id=${found[2]}`}>${found[2]}</a>${found[3]}</span>`;
}

/** The check of each agent's journal, which a button begins. */
function Journals() {
  const asked = useAsked("/streams/verify", EVERY_S);
  const [refused, setRefused] = useState("");
  /** @type {Checked[]} */
  const agents = asked.data?.agents ?? [];

  /** @param {string} agent */
  async function begin(agent) {
    try {
      setRefused("");
      await post("/streams/verify", { agent });
      asked.again();
    } catch (error) {
      setRefused(error instanceof Problem ? `${sentence(error.message)} ${sentence(error.remedy)}` : String(error));
    }
  }

  if (agents.length === 0) return null;
  return html`
    <section class="panel journals" aria-label="Journals">
      <h2>Does each agent repeat itself?</h2>
      <p class="dim">A check reads the agent's journal, decides everything again and compares byte by byte.</p>
      ${refused && html`<p class="problem" role="alert">${refused}</p>`}
      <ul>${agents.map((one) => html`
        <li key=${one.agent}>
          <strong>${one.agent}</strong>
          <${Verdict} one=${one} />
          <span class="fill"></span>
          <button class="plain" disabled=${one.running !== null} onClick=${() => void begin(one.agent)}>${one.running ? `Checks, ${seconds(one.running.took_s)}` : `Check ${one.agent}`}</button>
        </li>`)}
      </ul>
    </section>`;
}

/** @param {{one: Checked}} props */
function Verdict({ one }) {
  if (one.last === null) return html`<span class="dim">not checked yet</span>`;
  const at = one.last.as_of ? clock(one.last.as_of) : "";
  if (one.last.state === "FAILED") return html`<span class="badge warn">failed</span><span>${sentence(one.last.said)}</span>`;
  if (one.last.result.equal) return html`<span class="badge ok">equal</span><span class="dim">${at}, ${count(records(one.last.result))} records</span>`;
  const differs = one.last.result.tasks.find((/** @type {any} */ task) => task.difference);
  return html`<span class="badge ${differs ? "bad" : "idle"}">${differs ? "differs" : "nothing to compare"}</span><span class="dim">${at}</span>${differs && html`<${Command} text=${`./dev replay --verify ${one.agent}`} />`}`;
}

/** @param {{tasks: {records: number}[]}} result */
function records(result) {
  return result.tasks.reduce((sum, task) => sum + task.records, 0);
}
