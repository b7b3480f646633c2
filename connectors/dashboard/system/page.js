// @ts-check
// Services and processes of this machine: what is up, what stands still and why, and what each says in its log.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { bytes, clock, count, seconds } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Aside, Command, Rows, Tile, Trouble } from "/assets/parts.js";
import { user } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 2;
const LINES = 200;

/** @typedef {{group: string, topic: string, partition: number, instrument: string, until: string, seconds: number, records: number}} Held */
/** @typedef {{name: string, phase: string, down: boolean, stands_still: boolean, ready: boolean | null, reasons: string[], deaths: number, age_s: number | null, held: Held[], restoring: string[]}} Process */
/** @typedef {{name: string, healthy: boolean, version: string, detail: string}} Service */
/** @typedef {{kind: "service" | "process", name: string, word: string, tone: string, note: string, order: number, deaths: number | null, age_s: number | null, process: Process | null, version: string}} Row */

export function SystemPage() {
  const asked = useAsked("/health/system", EVERY_S);
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  /** @type {Row[] | null} */
  const rows = asked.data ? [...asked.data.services.map(ofService), ...asked.data.processes.map(ofProcess)] : null;
  const open = rows?.find((one) => one.name === chosen) ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">System</h1>
      <${Trouble} asked=${asked} />
      <${Sums} rows=${rows} />
      ${rows === null
        ? html`<${Rows} />`
        : html`<${Table} label="Services and processes" columns=${columns(setChosen)} rows=${rows} id=${(/** @type {Row} */ one) => one.name} first="state" chosen=${chosen} empty=${html`<strong>Nothing runs here.</strong>./dev up starts services and processes.`} />`}
      ${open && html`<${Full} row=${open} close=${() => setChosen(null)} />`}
    </main>`;
}

/** @param {{rows: Row[] | null}} props */
function Sums({ rows }) {
  const of = (/** @type {string} */ kind) => (rows ?? []).filter((one) => one.kind === kind);
  const wrong = (rows ?? []).filter((one) => one.tone === "bad");
  const restarts = of("process").reduce((sum, one) => sum + (one.deaths ?? 0), 0);
  const share = (/** @type {Row[]} */ among) => (rows ? `${among.filter((one) => one.tone === "ok").length} of ${among.length}` : "–");
  return html`
    <dl class="tiles">
      <${Tile} name="Services up" value=${share(of("service"))} />
      <${Tile} name="Processes ready" value=${share(of("process"))} />
      <${Tile} name="Need a look" value=${rows ? String(wrong.length) : "–"} tone=${wrong.length > 0 ? "bad" : ""} note=${wrong[0]?.name ?? ""} />
      <${Tile} name="Restarts" value=${rows ? count(restarts) : "–"} tone=${restarts > 0 ? "warn" : ""} />
    </dl>`;
}

/** @param {(name: string) => void} choose @returns {import("/assets/table.js").Column<Row>[]} */
function columns(choose) {
  return [
    { key: "name", name: "Name", value: (one) => one.name, cell: (one) => html`<button class="name" onClick=${() => choose(one.name)}>${one.name}</button><span class="second">${one.kind === "service" ? `service ${one.version}` : "process"}</span>` },
    { key: "state", name: "State", value: (one) => one.order, cell: (one) => html`<span class="badge ${one.tone}">${one.word}</span>` },
    { key: "age", name: "Runs for", numeric: true, value: (one) => one.age_s, cell: (one) => (one.age_s === null ? "–" : seconds(one.age_s)) },
    { key: "deaths", name: "Restarts", numeric: true, title: "How often the process has ended by itself since up began", value: (one) => one.deaths, cell: (one) => (one.deaths === null ? "–" : count(one.deaths)) },
    { key: "note", name: "What it says", wide: true, value: (one) => one.note, cell: (one) => (one.note ? html`<span>${one.note}</span>` : html`<span class="dim">–</span>`) },
  ];
}

/** @param {Service} one @returns {Row} */
function ofService(one) {
  const state = one.healthy ? { word: "up", tone: "ok", order: 3 } : { word: "down", tone: "bad", order: 0 };
  return { kind: "service", name: one.name, ...state, note: one.healthy ? "" : one.detail, deaths: null, age_s: null, process: null, version: one.version ?? "" };
}

/** @param {Process} one @returns {Row} */
function ofProcess(one) {
  const note = one.reasons[0] ?? (one.held[0] ? heldText(one.held[0]) : one.restoring.length > 0 ? `restores ${one.restoring.join(", ")}` : "");
  return { kind: "process", name: one.name, ...state(one), note, deaths: one.deaths, age_s: one.age_s, process: one, version: "" };
}

/** @param {Process} one */
function state(one) {
  if (one.down) return { word: one.phase, tone: "bad", order: 0 };
  if (one.stands_still) return { word: "stands still", tone: "bad", order: 0 };
  if (one.phase === "waiting") return { word: "starts again", tone: "warn", order: 1 };
  if (one.phase === "finished") return { word: "finished", tone: "idle", order: 4 };
  if (one.ready === false) return { word: "not ready", tone: "warn", order: 1 };
  if (one.held.length > 0) return { word: "holds records", tone: "warn", order: 2 };
  return one.ready === null ? { word: one.phase, tone: "unknown", order: 2 } : { word: "ready", tone: "ok", order: 3 };
}

/** @param {Held} held */
function heldText(held) {
  return `${held.topic}/${held.partition} waits for ${held.instrument} on ${held.until}, ${seconds(held.seconds)}, ${count(held.records)} records`;
}

/** @param {{row: Row, close: () => void}} props */
function Full({ row, close }) {
  const process = row.process;
  const mayRead = user.value?.role === "operator";
  return html`
    <${Aside} name=${row.name} close=${close} broad=${mayRead} badge=${html`<span class="badge ${row.tone}">${row.word}</span>`}>
      ${row.note && !process && html`<p>${row.note}</p>`}
      ${process && process.reasons.length > 0 && html`<section><h3>Not ready, because</h3>${process.reasons.map((reason) => html`<p key=${reason}>${reason}</p>`)}</section>`}
      ${process && process.held.length > 0 && html`<section><h3>Holds records</h3>${process.held.map((held) => html`<p key=${`${held.topic}/${held.partition}`}>${heldText(held)}</p>`)}</section>`}
      ${process && process.restoring.length > 0 && html`<section><h3>Restores</h3><p>${process.restoring.join(", ")}</p></section>`}
      <${Command} text=${process?.down ? `./dev retry ${row.name}` : `./dev logs ${row.name} --follow`} />
      ${mayRead && html`<${Log} key=${row.name} name=${row.name} />`}
    </${Aside}>`;
}

/** @param {{name: string}} props */
function Log({ name }) {
  const asked = useAsked(`/system/logs?name=${encodeURIComponent(name)}&lines=${LINES}`, EVERY_S);
  const [text, setText] = useState("");
  /** @type {string[] | null} */
  const lines = asked.data?.lines ?? null;
  const shown = (lines ?? []).filter((line) => line.toLowerCase().includes(text.trim().toLowerCase()));
  return html`
    <section class="log">
      <h3>Log ${asked.data && html`<small class="dim">${asked.data.whole ? "" : `the last ${count(lines?.length ?? 0)} lines of `}${bytes(asked.data.bytes)}</small>`}</h3>
      <${Trouble} asked=${asked} />
      <input type="search" aria-label="Find in the log" placeholder="Find in the log" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      ${lines === null
        ? html`<${Rows} rows=${2} />`
        : html`<pre tabindex="0" role="region" aria-label=${`Log of ${name}`} class="scrolls">${shown.length > 0 ? shown.join("\n") : lines.length === 0 ? `It has said nothing yet, at ${clock(Date.now() / 1000)}.` : "No line has that."}</pre>`}
    </section>`;
}
