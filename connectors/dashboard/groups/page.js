// @ts-check
// Groups: how far each reader is behind, whether that gets better, how long until it has caught up, and who reads.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { clock, count, rate, seconds, utc } from "/assets/format.js";
import { STATES, WORST } from "/assets/flow/words.js";
import { html } from "/assets/html.js";
import { Aside, Rows, Spark, State, Tile, Trouble } from "/assets/parts.js";
import { Table } from "/assets/table.js";

const EVERY_S = 2;
const STEADY_PER_S = 0.5; // records a second, under which a lag does not move
const MOST_TOPICS = 2;

/** @typedef {{partition: number, position: string, end: string, lag: string, lag_s: number | null, state: string, member: string | null}} Partition */
/** @typedef {{topic: string, state: string, lag: string | null, lag_s: number | null, catch_up_s: number | null, partitions: Partition[]}} Input */
/** @typedef {{name: string, group: string, state: string, since: number | null, lag: string | null, lag_s: number | null, catch_up_s: number | null, trend_per_s: number | null, history: [number, number][], kafka_state: string | null, members: number | null, topics: Input[]}} Group */

export function GroupsPage() {
  const asked = useAsked("/streams/groups", EVERY_S);
  const [only, setOnly] = useState("all");
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  /** @type {Group[] | null} */
  const groups = asked.data?.groups ?? null;
  const now = asked.data?.as_of ?? 0;
  const shown = (groups ?? []).filter((one) => only === "all" || wants(one));
  const open = groups?.find((one) => one.name === chosen) ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Consumer groups</h1>
      <${Trouble} asked=${asked} />
      <${Sums} groups=${groups} />
      <div class="tools">
        <div class="chips" role="group" aria-label="Which">
          <button aria-pressed=${only === "all"} onClick=${() => setOnly("all")}>All</button>
          <button aria-pressed=${only === "look"} onClick=${() => setOnly("look")}>Need a look${groups ? ` (${groups.filter(wants).length})` : ""}</button>
        </div>
      </div>
      ${groups === null
        ? html`<${Rows} />`
        : html`<${Table} label="Consumer groups" columns=${columns(now, setChosen)} rows=${shown} id=${(/** @type {Group} */ one) => one.name} first="state" chosen=${chosen} empty=${only === "look" ? html`<strong>Every reader keeps up.</strong>No group needs a look now.` : html`<strong>No group.</strong>./dev up starts the agents and sinks.`} />`}
      ${open && html`<${Full} group=${open} now=${now} close=${() => setChosen(null)} />`}
    </main>`;
}

/** @param {Group} one */
function wants(one) {
  return ["bad", "warn", "hold", "unknown"].includes(STATES[one.state]?.tone ?? "unknown");
}

/** @param {{groups: Group[] | null}} props */
function Sums({ groups }) {
  const known = groups ?? [];
  const well = known.filter((one) => !wants(one)).length;
  const told = known.filter((one) => one.lag !== null);
  const lag = told.reduce((sum, one) => sum + BigInt(one.lag ?? "0"), 0n);
  const longest = known.filter((one) => one.lag_s !== null).sort((a, b) => (b.lag_s ?? 0) - (a.lag_s ?? 0))[0];
  const untold = known.length - told.length;
  return html`
    <dl class="tiles">
      <${Tile} name="Keep up" value=${groups ? String(well) : "–"} unit=${groups ? ` of ${known.length}` : ""} tone=${well < known.length ? "warn" : ""} />
      <${Tile} name="Records unread" value=${groups ? rate(Number(lag)) : "–"} note=${untold ? `${untold} unknown` : ""} />
      <${Tile} name="Longest behind" value=${longest ? seconds(longest.lag_s) : "–"} note=${longest && (longest.lag_s ?? 0) >= 0.05 ? longest.name : ""} />
      <${Tile} name="Stopped" value=${groups ? String(known.filter((one) => one.state === "STOPPED").length) : "–"} tone=${known.some((one) => one.state === "STOPPED") ? "bad" : ""} />
      <${Tile} name="Without members" value=${groups ? String(known.filter((one) => one.members === 0).length) : "–"} tone=${known.some((one) => one.members === 0) ? "warn" : ""} />
    </dl>`;
}

/** @param {number} now @param {(name: string) => void} choose @returns {import("/assets/table.js").Column<Group>[]} */
function columns(now, choose) {
  return [
    { key: "name", name: "Reader", value: (one) => one.name, cell: (one) => html`<button class="name" onClick=${() => choose(one.name)}>${one.name}</button><span class="second">${membership(one)}</span>` },
    { key: "state", name: "State", value: (one) => WORST.indexOf(one.state), cell: (one) => html`<span><${State} state=${one.state} />${one.since !== null && html` <small title=${utc(one.since)}>${seconds(Math.max(0, now - one.since))}</small>`}</span>` },
    { key: "lag", name: "Records behind", numeric: true, title: "Committed records that it has not read; markers of transactions are none", value: (one) => (one.lag === null ? null : Number(one.lag)), cell: (one) => count(one.lag) },
    { key: "lag_s", name: "Behind", numeric: true, title: "How long ago the first record was written that it has not read", value: (one) => one.lag_s, cell: (one) => (one.lag_s === null ? html`<span class="dim">unknown</span>` : seconds(one.lag_s)) },
    { key: "trend", name: "Last 90 s", numeric: true, wide: true, value: (one) => one.trend_per_s, cell: trend },
    { key: "wait", name: "Caught up in", numeric: true, value: (one) => one.catch_up_s, cell: wait },
    { key: "reads", name: "Reads", wide: true, value: (one) => one.topics.length, cell: (one) => html`<span title=${one.topics.map((of) => of.topic).join(", ")}>${one.topics.slice(0, MOST_TOPICS).map((of) => of.topic).join(", ")}${one.topics.length > MOST_TOPICS ? html` <small>and ${one.topics.length - MOST_TOPICS} more</small>` : ""}</span>` },
  ];
}

/** @param {Group} one */
function membership(one) {
  if (one.members === null) return "Kafka does not know the group";
  return `${one.members} member${one.members === 1 ? "" : "s"} · ${(one.kafka_state ?? "").toLowerCase().replaceAll("_", " ")}`;
}

/** @param {Group} one */
function trend(one) {
  const moves = one.trend_per_s;
  const words = moves === null || Math.abs(moves) < STEADY_PER_S ? "steady" : `${moves > 0 ? "▲" : "▼"} ${rate(Math.abs(moves))}/s`;
  if (one.lag === null) return html`<span class="dim">–</span>`;
  return html`<span class="trend"><${Spark} points=${one.history} label=${`records behind over the last 90 s: ${words}`} tone=${STATES[one.state]?.tone ?? ""} /><small>${words}</small></span>`;
}

/** @param {Group} one */
function wait(one) {
  if (one.lag === null) return html`<span class="dim">unknown</span>`;
  if (one.lag === "0") return html`<span class="dim">–</span>`;
  return one.catch_up_s === null ? html`<span title="Its lag does not shrink">never</span>` : seconds(one.catch_up_s);
}

/** @param {{group: Group, now: number, close: () => void}} props */
function Full({ group, now, close }) {
  const words = STATES[group.state];
  return html`
    <${Aside} name=${group.name} badge=${html`<${State} state=${group.state} />`} close=${close}>
      <p>${words?.means} ${words?.remedy}</p>
      <p class="facts"><span>group ${group.group}</span><span>${membership(group)}</span>${group.since !== null && html`<span title=${utc(group.since)}>since ${clock(group.since)}</span>`}</p>
      ${group.topics.map((one) => html`
        <section key=${one.topic}>
          <h3 class="topic">${one.topic} <${State} state=${one.state} /></h3>
          ${one.partitions.length === 0
            ? html`<p>Kafka does not say where it stands.</p>`
            : html`<table>
                <thead><tr><th scope="col">partition</th><th scope="col">position</th><th scope="col">behind</th><th scope="col">for</th><th scope="col">state</th></tr></thead>
                <tbody>${one.partitions.map((of) => html`<tr key=${of.partition} title=${of.member ?? "nobody reads this partition"}><td>${of.partition}</td><td>${count(of.position)}</td><td>${count(of.lag)}</td><td>${seconds(of.lag_s)}</td><td>${STATES[of.state]?.word}</td></tr>`)}</tbody>
              </table>`}
          ${members(one).map((member) => html`<p key=${member}>read by ${member}</p>`)}
        </section>`)}
      <p class="dim">Looked at ${clock(now)}.</p>
    </${Aside}>`;
}

/** @param {Input} one */
function members(one) {
  return [...new Set(one.partitions.flatMap((of) => (of.member === null ? [] : [of.member])))];
}
