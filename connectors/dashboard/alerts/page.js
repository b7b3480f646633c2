// @ts-check
// Alerts of the last day: what holds first, since when, what it is about, and what to do.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, clock, count, seconds, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Rows, Tile, Trouble } from "/assets/parts.js";
import { user } from "/assets/session.js";
import { mayStop } from "/assets/stop.js";
import { LookInto } from "/assets/alerts/look_into.js";

const EVERY_S = 3;
const MOST = 100; // rows at once

/** @type {Record<string, {word: string, means: string}>} */
const STATES = {
  HOLDS: { word: "holds", means: "It comes again each minute while it holds." },
  CAME: { word: "came", means: "It came once. Nothing says when it is over." },
  UNHEARD: { word: "unheard", means: "It came again and again, and comes no more: the process that said it has ended." },
  OVER: { word: "over", means: "The process that said it has said that it is over." },
};
/** @type {Record<string, string>} */
const TONES = { CRITICAL: "bad", WARNING: "warn", INFO: "ok" };
const KINDS = [["now", "Not over"], ["HOLDS", "Hold"], ["CAME", "Came once"], ["over", "Over"]];

/** @typedef {{id: string, state: string, severity: string, code: string, source: string, tenant: string | null, group: string | null, topic: string | null, partition: number | null, message: string, since: number, last: number, over: number | null, times: number, acknowledged: {at: number, said: string} | null}} Alert */

export function AlertsPage() {
  const asked = useAsked("/alerts/active", EVERY_S);
  const [kind, setKind] = useState("now");
  const [text, setText] = useState("");
  /** @type {Alert[] | null} */
  const alerts = asked.data?.alerts ?? null;
  const now = asked.data?.as_of ?? 0;
  const found = (alerts ?? []).filter((one) => isOf(kind, one) && words(one).includes(text.trim().toLowerCase()));
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Alerts</h1>
      <${Trouble} asked=${asked} />
      <${Sums} alerts=${alerts} />
      <div class="tools">
        <div class="chips" role="group" aria-label="State">
          ${KINDS.map(([key, name]) => html`<button key=${key} aria-pressed=${kind === key} onClick=${() => setKind(key ?? "")}>${name}</button>`)}
        </div>
        <input type="search" aria-label="Find an alert" placeholder="Find an alert" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
        ${alerts && html`<span class="dim" role="status">${found.length} of ${alerts.length}</span>`}
      </div>
      ${alerts === null
        ? html`<${Rows} rows=${4} />`
        : found.length === 0
          ? html`<${Nothing} alerts=${alerts} at=${now} />`
          : html`<div class="transactions">${found.slice(0, MOST).map((one) => html`<${One} key=${`${one.id} ${one.state}`} one=${one} now=${now} again=${asked.again} />`)}</div>`}
      ${found.length > MOST && html`<p class="note-line">${count(found.length - MOST)} more: narrow the search.</p>`}
    </main>`;
}

/** @param {{alerts: Alert[], at: number}} props */
function Nothing({ alerts, at }) {
  return alerts.length === 0
    ? html`<div class="empty panel"><strong>No alert in the last 24 hours.</strong>Read at ${clock(at)}. Watchdogs look every two seconds.</div>`
    : html`<div class="empty panel"><strong>No such alert.</strong>The other states have ${count(alerts.length)}.</div>`;
}

/** @param {{alerts: Alert[] | null}} props */
function Sums({ alerts }) {
  const known = (alerts ?? []).filter((one) => one.state !== "OVER");
  const critical = known.filter((one) => one.severity === "CRITICAL" && one.state === "HOLDS").length;
  const holding = known.filter((one) => one.state === "HOLDS");
  const oldest = [...holding].sort((a, b) => a.since - b.since)[0];
  const came = known.filter((one) => one.state === "CAME").length;
  return html`
    <dl class="tiles">
      <${Tile} name="Hold" value=${alerts ? String(holding.length) : "–"} tone=${critical > 0 ? "bad" : holding.length > 0 ? "warn" : ""} />
      <${Tile} name="Critical" value=${alerts ? String(critical) : "–"} tone=${critical > 0 ? "bad" : ""} />
      <${Tile} name="Oldest since" value=${oldest ? clock(oldest.since) : "–"} note=${oldest?.source ?? ""} />
      <${Tile} name="Came once" value=${alerts ? String(came) : "–"} tone=${came > 0 ? "warn" : ""} />
      <${Tile} name="Over" value=${alerts ? String(alerts.length - known.length) : "–"} />
    </dl>`;
}

/** @param {{one: Alert, now: number, again: () => void}} props */
function One({ one, now, again }) {
  const { word, means } = STATES[one.state] ?? { word: one.state, means: "" };
  const over = one.state === "OVER";
  const tone = over ? "idle" : (TONES[one.severity] ?? "unknown");
  const about = [
    one.tenant && `tenant ${one.tenant}`,
    one.group && one.group !== one.source && `group ${one.group}`,
    one.topic && `${one.topic}${one.partition === null ? "" : `/${one.partition}`}`,
  ].filter(Boolean);
  return html`
    <article class="transaction panel ${tone}">
      <header>
        <h2>${one.code}</h2>
        <span class="badge ${tone}" title=${means}>${word}</span>
        <span>${one.source}</span>
        <span class="dim" title=${utc(one.since)}>${over ? `${seconds((one.over ?? one.last) - one.since)} long, over ${ago(now - (one.over ?? one.last))}` : `since ${clock(one.since)}, ${ago(now - one.since)}`}</span>
      </header>
      <p>${one.message}</p>
      <p class="facts dim"><span>${one.severity.toLowerCase()}</span>${about.map((fact) => html`<span key=${fact}>${fact}</span>`)}${one.times > 1 && html`<span title=${`last at ${utc(one.last)}`}>said ${count(one.times)} times</span>`}</p>
      ${one.acknowledged && html`<p class="facts" title=${utc(one.acknowledged.at)}><span class="badge ok">looked into</span><span>${one.acknowledged.said}</span><span class="dim">${ago(now - one.acknowledged.at)}</span></p>`}
      ${!over && mayStop(user.value?.role) && html`<${LookInto} id=${one.id} code=${one.code} done=${again} />`}
    </article>`;
}

/** @param {string} kind @param {Alert} one */
function isOf(kind, one) {
  if (kind === "now") return one.state !== "OVER";
  if (kind === "over") return one.state === "OVER";
  return one.state === kind;
}

/** @param {Alert} one */
function words(one) {
  return [one.code, one.source, one.tenant, one.group, one.topic, one.message, one.acknowledged?.said].filter(Boolean).join(" ").toLowerCase();
}
