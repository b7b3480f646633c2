// @ts-check
// AI: models with their breakers, latency and errors, what today has cost, and a question to try one.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, clock, count, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, Trouble } from "/assets/parts.js";
import { user } from "/assets/session.js";
import { Table } from "/assets/table.js";
import { Ask } from "/assets/ai/ask.js";

const EVERY_S = 10;

/** @typedef {{provider: string, adapter: string, tenant: string | null, model: string, key: string | null, routes: string[], priced: boolean, calls: string, failed: string, p50_ms: number | null, p95_ms: number | null, last_failure: string | null, last_failed: string | null, breaker: "CLOSED" | "OPEN" | "PROBE", open_until: number | null}} Model */
/** @typedef {{tenant_id: string, provider: string, model: string, currency: string, requests: string, unanswered: string, cost: string, suspense: string}} Cost */

export function AiPage() {
  const asked = useAsked("/ai/providers", EVERY_S);
  const [found, setFound] = useState("");
  /** @type {Model[] | null} */
  const models = asked.data?.models ?? null;
  const rows = models?.filter((one) => `${one.provider} ${one.model} ${one.key ?? ""} ${one.routes.join(" ")}`.toLowerCase().includes(found.trim().toLowerCase())) ?? null;
  const only = models !== null && models.every((one) => one.adapter === "paper");
  return html`
    <main class="beside ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">AI</h1>
      <${Ask} />
      <div class="list">
        <${Trouble} asked=${asked} />
        ${only && html`<section class="panel start"><h2>Add a provider</h2><p>Only the paper model answers, with play money. To ask a provider, apply a settings file, and give the caller its key:</p><${Command} text="./dev ai templates" /><${Command} text="./dev ai apply settings.yaml --check" /><${Command} text="./dev ai keys --help" /></section>`}
        <div class="tools"><h2>Models</h2><input type="search" aria-label="Find a model" placeholder="Find a model" value=${found} onInput=${(/** @type {any} */ event) => setFound(event.currentTarget.value)} /></div>
        <div class="half">${rows === null
          ? html`<${Rows} rows=${5} />`
          : html`<${Table} label="Models" columns=${modelColumns()} rows=${rows} id=${(/** @type {Model} */ one) => `${one.provider}/${one.model}/${one.key ?? ""}`} first="model" empty=${html`<strong>No such model.</strong>./dev ai apply adds providers and their models.`} />`}</div>
        <div class="tools"><h2>Cost today</h2><span class="dim">${asked.data ? `${asked.data.day}, UTC` : ""}</span></div>
        ${asked.data === null
          ? html`<${Rows} rows=${4} />`
          : html`<${Table} label="Cost today" columns=${costColumns()} rows=${asked.data.costs} id=${(/** @type {Cost} */ one) => `${one.tenant_id}/${one.provider}/${one.model}/${one.currency}`} first="cost" descends=${true} empty=${html`<strong>Nothing was asked today.</strong>Each request stands here some seconds after its answer.`} />`}
        <${Command} text="./dev ai cost --by tenant,model,type" />
      </div>
    </main>`;
}

/** @param {Model} one */
function breaker(one) {
  if (one.breaker === "CLOSED") return html`<span class="badge ok" title="Calls pass.">closed</span>`;
  if (one.breaker === "PROBE") return html`<span class="badge warn" title="The next call is a probe. If it fails, the breaker opens again.">probe next</span>`;
  return html`<span class="badge bad" title="No call passes until then. Other models of a route answer meanwhile.">open</span><span class="second">until ${clock(one.open_until ?? 0)}</span>`;
}

/** @param {number | null} ms */
function time(ms) {
  return ms === null ? html`<span class="dim">–</span>` : `${count(Math.round(ms))} ms`;
}

/** @param {Model} one */
function errors(one) {
  const calls = Number(one.calls);
  if (calls === 0) return html`<span class="dim">–</span>`;
  return `${((100 * Number(one.failed)) / calls).toFixed(1)} %`;
}

/** @returns {import("/assets/table.js").Column<Model>[]} */
function modelColumns() {
  return [
    { key: "model", name: "Model", value: (one) => `${one.provider} ${one.model}`, cell: (one) => html`<strong class="reason">${one.model}</strong><span class="second">${one.provider}${one.key ? `, key ${one.key}` : ""}${one.tenant ? `, of ${one.tenant} alone` : ""}</span>` },
    { key: "breaker", name: "Breaker", title: "As the calls of the last two hours show it", value: (one) => one.breaker, cell: breaker },
    { key: "calls", name: "Calls", numeric: true, title: "In the last hour", value: (one) => Number(one.calls), cell: (one) => count(one.calls) },
    { key: "failed", name: "Errors", numeric: true, title: "Part of the calls that a breaker takes for a failure", value: (one) => (one.calls === "0" ? null : Number(one.failed) / Number(one.calls)), cell: errors },
    { key: "p50", name: "p50", numeric: true, title: "Half of the answers came within this time", value: (one) => one.p50_ms, cell: (one) => time(one.p50_ms) },
    { key: "p95", name: "p95", numeric: true, value: (one) => one.p95_ms, cell: (one) => time(one.p95_ms) },
    { key: "last", name: "Last failure", wide: true, value: (one) => one.last_failed, cell: (one) => (one.last_failed === null ? html`<span class="dim">none</span>` : html`<span title=${utc(Date.parse(one.last_failed) / 1000)}>${one.last_failure?.toLowerCase().replaceAll("_", " ")}, ${ago((Date.now() - Date.parse(one.last_failed)) / 1000)}</span>`) },
    { key: "routes", name: "Answers", wide: true, title: "Types of requests whose route names the model", value: (one) => one.routes.join(), cell: (one) => html`<span class="reason">${one.routes.length === 0 ? html`<span class="dim">no route</span>` : one.routes.map((name) => (name === "*" ? "all types" : name)).join(", ")}</span>${!one.priced && html` <span class="badge warn" title="A request to a model without a price is refused: ./dev ai prices import">no price</span>`}` },
  ];
}

/** @returns {import("/assets/table.js").Column<Cost>[]} */
function costColumns() {
  /** @type {import("/assets/table.js").Column<Cost>[]} */
  const found = [
    { key: "model", name: "Answered by", value: (one) => `${one.provider} ${one.model}`, cell: (one) => (one.model === "" ? html`<span class="dim">no model</span>` : html`<strong class="reason">${one.model}</strong><span class="second">${one.provider}</span>`) },
    { key: "requests", name: "Requests", numeric: true, value: (one) => Number(one.requests), cell: (one) => count(one.requests) },
    { key: "unanswered", name: "Not answered", numeric: true, value: (one) => Number(one.unanswered), cell: (one) => count(one.unanswered) },
    { key: "suspense", name: "In suspense", numeric: true, title: "The most that calls can have cost whose end nobody knows", value: (one) => Number(one.suspense), cell: (one) => (Number(one.suspense) === 0 ? html`<span class="dim">0</span>` : `${one.suspense} ${one.currency}`) },
    { key: "cost", name: "Cost", numeric: true, value: (one) => Number(one.cost), cell: (one) => html`<strong>${one.cost}</strong> ${one.currency}` },
  ];
  if (user.value?.tenant !== null) return found;
  return [...found.slice(0, 1), { key: "tenant", name: "Tenant", value: (one) => one.tenant_id, cell: (one) => one.tenant_id }, ...found.slice(1)];
}
