// @ts-check
// Open transactions: hanging ones first, who waits for them, and the command that ends them.
import { useAsked } from "/assets/asked.js";
import { clock, count, seconds, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, Tile, Trouble } from "/assets/parts.js";

const EVERY_S = 2;

/** @type {Record<string, {word: string, tone: string, means: string}>} */
const VERDICTS = {
  HANGING: { word: "hangs", tone: "bad", means: "Nothing will end it. Readers of committed records come no further than where it begins." },
  LONG: { word: "long", tone: "warn", means: "Readers of committed records wait until it ends. Kafka aborts it after its time-out." },
};

/** @typedef {{topic: string, partition: number, begins: string | null, holds_back: string}} Place */
/** @typedef {{transactional_id: string | null, producer_id: string, epoch: number, state: string, verdict: string, since: number, age_s: number, timeout_s: number | null, waiting: string[], partitions: Place[], end_by: string[]}} Transaction */

export function TransactionsPage() {
  const asked = useAsked("/streams/transactions", EVERY_S);
  /** @type {Transaction[] | null} */
  const found = asked.data?.transactions ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Transactions</h1>
      <${Trouble} asked=${asked} />
      <${Sums} found=${found} />
      ${found === null
        ? html`<${Rows} rows=${4} />`
        : found.length === 0
          ? html`<div class="empty panel"><strong>No transaction is open.</strong>Looked at ${clock(asked.data?.as_of ?? 0)}. Agents and feeds commit within a second, so most looks see none.</div>`
          : html`<div class="transactions">${found.map((one) => html`<${One} key=${one.producer_id} one=${one} />`)}</div>`}
    </main>`;
}

/** @param {{found: Transaction[] | null}} props */
function Sums({ found }) {
  const known = found ?? [];
  const hanging = known.filter((one) => one.verdict === "HANGING").length;
  const oldest = [...known].sort((a, b) => b.age_s - a.age_s)[0];
  const waiting = new Set(known.filter((one) => one.verdict !== "OPEN").flatMap((one) => one.waiting));
  return html`
    <dl class="tiles">
      <${Tile} name="Open" value=${found ? String(known.length) : "–"} />
      <${Tile} name="Hang" value=${found ? String(hanging) : "–"} tone=${hanging > 0 ? "bad" : ""} />
      <${Tile} name="Oldest" value=${oldest ? seconds(oldest.age_s) : "–"} />
      <${Tile} name="Readers that wait" value=${found ? String(waiting.size) : "–"} tone=${waiting.size > 0 ? "warn" : ""} note=${[...waiting].join(", ")} />
    </dl>`;
}

/** @param {{one: Transaction}} props */
function One({ one }) {
  if (one.verdict === "OPEN") return html`<${Fresh} one=${one} />`;
  const { word, tone, means } = VERDICTS[one.verdict] ?? { word: one.verdict, tone: "unknown", means: "" };
  return html`
    <article class="transaction panel ${tone}">
      <header>
        <h2>${one.transactional_id ?? `producer ${one.producer_id}`}</h2>
        <span class="badge ${tone}">${word}</span>
        <span title=${utc(one.since)}>open for ${seconds(one.age_s)}</span>
      </header>
      <p class="dim">${one.transactional_id === null ? "Its coordinator knows nothing of it. " : ""}${means}</p>
      <dl>
        <dt>Producer</dt><dd>${one.producer_id}, epoch ${one.epoch}, ${one.state}${one.timeout_s === null ? "" : `, time-out ${seconds(one.timeout_s)}`}</dd>
        <dt>Holds back</dt><dd>${one.partitions.length === 0 ? "nothing yet" : one.partitions.map((at) => `${at.topic}/${at.partition}${at.begins === null ? "" : ` from offset ${count(at.begins)}, ${count(at.holds_back)} offsets`}`).join("; ")}</dd>
        <dt>Who waits</dt><dd>${one.waiting.length === 0 ? "no reader of ours" : one.waiting.join(", ")}</dd>
      </dl>
      ${one.end_by.map((command) => html`<${Command} key=${command} text=${command} />`)}
    </article>`;
}

/** One that has just begun: most end before the next look. @param {{one: Transaction}} props */
function Fresh({ one }) {
  return html`
    <article class="transaction fresh panel idle">
      <header>
        <h2>${one.transactional_id ?? `producer ${one.producer_id}`}</h2>
        <span class="dim" title=${utc(one.since)}>open for ${seconds(one.age_s)} on ${one.partitions.map((at) => `${at.topic}/${at.partition}`).join(", ") || "no partition yet"}</span>
      </header>
    </article>`;
}
