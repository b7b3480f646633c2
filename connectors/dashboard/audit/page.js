// @ts-check
// Audit: who gave which command, from where, and what it changed; and what was refused.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { stamp, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Aside, Rows, Trouble } from "/assets/parts.js";
import { get, user } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 5;
const PAGE = 100;

/** @typedef {{event_id: string, tenant_id: string | null, ts_event: string, user_id: string, user_name: string | null, role: string, address: string, action: string, request_key: string, outcome: string, code: string, detail: string, subject: string, before: any, after: any}} Audited */

export function AuditPage() {
  const asked = useAsked(`/audit?limit=${PAGE}`, EVERY_S);
  const [chosen, setChosen] = useState(/** @type {Audited | null} */ (null));
  const [older, setOlder] = useState(/** @type {{rows: Audited[], next: string | null} | null} */ (null));
  /** @type {Audited[] | null} */
  const newest = asked.data?.events ?? null;
  const known = new Set((newest ?? []).map((one) => one.event_id));
  const rows = newest && [...newest, ...(older?.rows ?? []).filter((one) => !known.has(one.event_id))];
  const next = older === null ? (asked.data?.next ?? null) : older.next;

  async function more() {
    const found = await get(`/audit?limit=${PAGE}&cursor=${encodeURIComponent(next ?? "")}`);
    setOlder({ rows: [...(older?.rows ?? []), ...found.events], next: found.next });
  }

  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Audit</h1>
      <${Trouble} asked=${asked} />
      ${rows === null
        ? html`<${Rows} />`
        : html`<${Table} label="Commands" columns=${columns(setChosen)} rows=${rows} id=${(/** @type {Audited} */ one) => one.event_id} first="at" descends=${true} chosen=${chosen?.event_id ?? null} empty=${html`<strong>No command was given yet.</strong>Each change and each refusal stands here.`} />`}
      ${next !== null && html`<button class="plain more" onClick=${() => void more()}>Show older commands</button>`}
      ${chosen && html`<${Full} one=${chosen} close=${() => setChosen(null)} />`}
    </main>`;
}

/** @param {(one: Audited) => void} choose @returns {import("/assets/table.js").Column<Audited>[]} */
function columns(choose) {
  /** @type {import("/assets/table.js").Column<Audited>[]} */
  const found = [
    { key: "action", name: "Command", value: (one) => one.action, cell: (one) => html`<button class="name" onClick=${() => choose(one)}>${one.action}</button><span class="second">${one.subject}</span>` },
    { key: "outcome", name: "Outcome", value: (one) => one.outcome, cell: (one) => html`<span class="badge ${one.outcome === "CHANGED" ? "ok" : "warn"}">${one.outcome.toLowerCase()}</span>` },
    { key: "detail", name: "What", wide: true, value: (one) => one.detail, cell: (one) => html`<span class="reason">${one.code ? `${one.code}: ` : ""}${one.detail}</span>` },
    { key: "who", name: "Who", wide: true, value: (one) => one.user_name ?? one.user_id, cell: (one) => html`${one.user_name ?? one.user_id}<span class="second">${one.role}, ${one.address || "–"}</span>` },
    { key: "at", name: "When", numeric: true, wide: true, value: (one) => one.ts_event, cell: (one) => html`<span title=${utc(Date.parse(one.ts_event) / 1000)}>${stamp(Date.parse(one.ts_event) / 1000)}</span>` },
  ];
  if (user.value?.tenant !== null) return found;
  return [found[0], { key: "tenant", name: "Tenant", value: (one) => one.tenant_id, cell: (one) => one.tenant_id ?? html`<span class="dim">all</span>` }, ...found.slice(1)];
}

/** @param {{one: Audited, close: () => void}} props */
function Full({ one, close }) {
  return html`
    <${Aside} name=${one.action} badge=${html`<span class="badge ${one.outcome === "CHANGED" ? "ok" : "warn"}">${one.outcome.toLowerCase()}</span>`} close=${close}>
      <p>${one.code ? `${one.code}: ` : ""}${one.detail}</p>
      <p class="facts"><span>${one.user_name ?? one.user_id}, ${one.role}</span><span>from ${one.address || "an unknown address"}</span>${one.request_key && html`<span>key ${one.request_key}</span>`}</p>
      ${one.outcome === "CHANGED" && html`
        <section><h3>Before</h3><pre class="json">${one.before === null ? "nothing" : JSON.stringify(one.before, null, 1)}</pre></section>
        <section><h3>After</h3><pre class="json">${one.after === null ? "nothing" : JSON.stringify(one.after, null, 1)}</pre></section>`}
    </${Aside}>`;
}
