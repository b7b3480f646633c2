// @ts-check
// Topics: what each carries, how fast it grows, how long records stay, when the last one came, and who reads.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, bytes, count, rate, seconds, utc } from "/assets/format.js";
import { STATES, worst } from "/assets/flow/words.js";
import { html } from "/assets/html.js";
import { Aside, Command, Meter, Rows, State, Tile, Trouble } from "/assets/parts.js";
import { follow } from "/assets/router.js";
import { Table } from "/assets/table.js";

const EVERY_S = 2;
const NEARLY_FULL = 0.9;
const KINDS = [["flow", "Flow"], ["letters", "Letters"], ["kept", "State and journals"], ["all", "All"]];

/** @typedef {{partition: number, first: string, stable: string, end: string, bytes: string | null, last_write: number | null}} Partition */
/** @typedef {{name: string, state: string, lag: string | null, lag_s: number | null}} Reader */
/** @typedef {{name: string, kind: string, owner: string, model: string | null, cleanup: string | null, records: string | null, rate_per_s: number | null, bytes: string | null, bytes_per_s: number | null, limit_bytes: string | null, full: number | null, keeps_s: number | null, last_write: number | null, producers: string[], readers: Reader[], partitions: Partition[]}} Topic */

export function TopicsPage() {
  const asked = useAsked("/streams/topics", EVERY_S);
  const [kind, setKind] = useState("flow");
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  /** @type {Topic[] | null} */
  const topics = asked.data?.topics ?? null;
  const now = asked.data?.as_of ?? 0;
  const shown = (topics ?? []).filter((one) => (kind === "all" || one.kind === kind) && one.name.includes(text.trim()));
  const open = topics?.find((one) => one.name === chosen) ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Topics</h1>
      <${Trouble} asked=${asked} />
      <${Sums} topics=${topics} />
      <div class="tools">
        <div class="chips" role="group" aria-label="Kind">
          ${KINDS.map(([key, name]) => html`<button key=${key} aria-pressed=${kind === key} onClick=${() => setKind(key ?? "")}>${name}</button>`)}
        </div>
        <input type="search" aria-label="Find a topic" placeholder="Find a topic" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
        ${topics && html`<span class="dim" role="status">${shown.length} of ${topics.length}</span>`}
      </div>
      ${topics === null
        ? html`<${Rows} />`
        : html`<${Table} label="Topics" columns=${columns(now, setChosen)} rows=${shown} id=${(/** @type {Topic} */ one) => one.name} first="name" chosen=${chosen} empty=${html`<strong>No topic.</strong>${text ? `None of this kind has “${text}” in its name.` : "./dev prepare creates the topics."}`} />`}
      ${open && html`<${Full} topic=${open} now=${now} close=${() => setChosen(null)} />`}
    </main>`;
}

/** @param {{topics: Topic[] | null}} props */
function Sums({ topics }) {
  const known = topics ?? [];
  const size = known.every((one) => one.bytes !== null) ? known.reduce((sum, one) => sum + Number(one.bytes), 0) : null;
  const growth = known.every((one) => one.bytes_per_s !== null) ? known.reduce((sum, one) => sum + (one.bytes_per_s ?? 0), 0) : null;
  const flows = known.filter((one) => (one.rate_per_s ?? 0) >= 0.05).length;
  const removing = known.filter((one) => (one.full ?? 0) >= 1);
  const behind = known.filter((one) => ["bad", "warn"].includes(STATES[worst(one.readers.map((reader) => reader.state))]?.tone ?? "") && one.readers.length > 0).length;
  return html`
    <dl class="tiles">
      <${Tile} name="Topics" value=${topics ? String(known.length) : "–"} />
      <${Tile} name="Carry records now" value=${topics ? String(flows) : "–"} />
      <${Tile} name="On disk" value=${topics ? bytes(size) : "–"} />
      <${Tile} name="Grows by" value=${topics ? bytes(growth) : "–"} unit=${growth === null ? "" : "/s"} />
      <${Tile} name="At their limit" value=${topics ? String(removing.length) : "–"} note=${removing[0]?.name ?? ""} />
      <${Tile} name="With a late reader" value=${topics ? String(behind) : "–"} tone=${behind > 0 ? "warn" : ""} />
    </dl>`;
}

/** @param {number} now @param {(name: string) => void} choose @returns {import("/assets/table.js").Column<Topic>[]} */
function columns(now, choose) {
  return [
    { key: "name", name: "Topic", value: (one) => one.name, cell: (one) => html`<button class="name" onClick=${() => choose(one.name)}>${one.name}</button><span class="second">${[one.model, one.cleanup === "compact" ? "compacted" : "", `${one.partitions.length} partition${one.partitions.length === 1 ? "" : "s"}`].filter(Boolean).join(" · ")}</span>` },
    { key: "rate", name: "Records/s", numeric: true, value: (one) => one.rate_per_s, cell: (one) => html`<span title=${`${count(one.records)} records since the last reset`}>${rate(one.rate_per_s)}</span>` },
    { key: "growth", name: "Grows", numeric: true, title: "Bytes that were added on disk, over the last five minutes", value: (one) => one.bytes_per_s, cell: (one) => (one.bytes_per_s === null ? "–" : `${bytes(one.bytes_per_s)}/s`) },
    { key: "bytes", name: "On disk", numeric: true, value: (one) => (one.bytes === null ? null : Number(one.bytes)), cell: (one) => html`<span class="stack"><span>${bytes(one.bytes)}</span><${Meter} part=${one.full} label=${one.full === null ? "" : `the fullest partition is at ${Math.round(one.full * 100)} % of its limit`} tone=${(one.full ?? 0) >= NEARLY_FULL ? "warn" : ""} /></span>` },
    { key: "keeps", name: "Kept for", numeric: true, title: "How long a record stays at this rate, until retention removes it", value: (one) => one.keeps_s, cell: kept },
    { key: "last", name: "Last record", numeric: true, value: (one) => one.last_write, cell: (one) => (one.last_write === null ? html`<span class="dim">none</span>` : html`<span title=${utc(one.last_write)}>${ago(now - one.last_write)}</span>`) },
    { key: "readers", name: "Readers", wide: true, value: (one) => (one.readers.length ? -Object.keys(STATES).indexOf(worst(one.readers.map((reader) => reader.state))) : null), cell: readers },
  ];
}

/** @param {Topic} one */
function kept(one) {
  if (one.limit_bytes === null) return html`<span class="dim">always</span>`;
  if (one.keeps_s === null) return html`<span class="dim" title="Nothing comes in, so nothing is removed">–</span>`;
  return html`<span title=${`${bytes(one.limit_bytes)} are kept in all`}>${seconds(one.keeps_s)}</span>`;
}

/** @param {Topic} one */
function readers(one) {
  if (one.readers.length === 0) return html`<span class="dim">none</span>`;
  const state = worst(one.readers.map((reader) => reader.state));
  const others = one.readers.length > 1 ? html` <small>${one.readers.length} readers</small>` : html` <small>${one.readers[0]?.name}</small>`;
  return html`<span><${State} state=${state} />${others}</span>`;
}

/** @param {{topic: Topic, now: number, close: () => void}} props */
function Full({ topic, now, close }) {
  return html`
    <${Aside} name=${topic.name} close=${close}>
      <p class="facts"><span>owner ${topic.owner}</span>${topic.model && html`<span>${topic.model}</span>`}<span>${topic.cleanup ?? "cleanup unknown"}</span>${topic.limit_bytes && html`<span>keeps ${bytes(topic.limit_bytes)}</span>`}</p>
      <p><a href=${`/messages?topic=${encodeURIComponent(topic.name)}`} onClick=${follow}>Search its records</a></p>
      <${Command} text=${`./dev consume ${topic.name} --follow`} />
      ${topic.producers.length > 0 && html`<section><h3>Written by</h3><p>${topic.producers.join(", ")}</p></section>`}
      <section>
        <h3>Read by</h3>
        ${topic.readers.length === 0 ? html`<p>Nobody reads it.</p>` : topic.readers.map((one) => html`<p key=${one.name} class="facts"><span class="strong">${one.name}</span><${State} state=${one.state} /><span>${count(one.lag)} records</span><span>${seconds(one.lag_s)} behind</span></p>`)}
      </section>
      <section>
        <h3>Partitions</h3>
        <table>
          <thead><tr><th scope="col">partition</th><th scope="col">first</th><th scope="col">next</th><th scope="col">on disk</th><th scope="col">last record</th></tr></thead>
          <tbody>${topic.partitions.map((one) => html`<tr key=${one.partition}><td>${one.partition}</td><td>${count(one.first)}</td><td title=${one.end === one.stable ? "" : `readers of committed records come to ${one.stable}`}>${count(one.end)}${one.end === one.stable ? "" : "*"}</td><td>${bytes(one.bytes)}</td><td>${one.last_write === null ? "none" : ago(now - one.last_write)}</td></tr>`)}</tbody>
        </table>
        ${topic.partitions.some((one) => one.end !== one.stable) && html`<p>* A transaction is open on the partition.</p>`}
      </section>
    </${Aside}>`;
}
