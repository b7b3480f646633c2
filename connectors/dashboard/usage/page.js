// @ts-check
// Usage: what tenants have used in a month, by meter and dimension.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, count, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, Tile, Trouble } from "/assets/parts.js";
import { user } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 10;
const MONTHS = 12;

/** @typedef {{tenant_id: string, meter: string, dimension: string, quantity: string, billable_quantity: string, records: string, ts_event: string}} Total */

export function UsagePage() {
  const months = lastMonths();
  const [month, setMonth] = useState(months[0] ?? "");
  const asked = useAsked(`/usage?month=${month}`, EVERY_S);
  /** @type {Total[] | null} */
  const totals = asked.data?.month === month ? asked.data.totals : null;
  const all = user.value?.tenant === null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Usage</h1>
      <${Trouble} asked=${asked} />
      <div class="tools">
        <label class="month">Month of UTC <select value=${month} onChange=${(/** @type {any} */ event) => setMonth(event.currentTarget.value)}>${months.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
      </div>
      <dl class="tiles">
        <${Tile} name="Meters in use" value=${totals ? count(new Set(totals.map((one) => one.meter)).size) : "–"} />
        ${all && html`<${Tile} name="Tenants" value=${totals ? count(new Set(totals.map((one) => one.tenant_id)).size) : "–"} />`}
      </dl>
      ${totals === null
        ? html`<${Rows} />`
        : html`<${Table} label="Usage" columns=${columns(all)} rows=${totals} id=${idOf} first="meter" empty=${html`<strong>Nothing was used in ${month}.</strong>Totals come some seconds after the use.`} />`}
      <${Command} text=${`./dev usage ${user.value?.tenant ?? "TENANT"} --month ${month}`} />
    </main>`;
}

/** @param {Total} one */
function idOf(one) {
  return [one.tenant_id, one.meter, one.dimension].join("\n");
}

/** @param {boolean} all @returns {import("/assets/table.js").Column<Total>[]} */
function columns(all) {
  /** @type {import("/assets/table.js").Column<Total>[]} */
  const found = [
    { key: "meter", name: "Meter", value: (one) => one.meter, cell: (one) => one.meter },
    { key: "dimension", name: "Of what", wide: true, value: (one) => one.dimension, cell: (one) => html`<span class="reason">${one.dimension}</span>` },
    { key: "quantity", name: "Units", numeric: true, wide: true, value: (one) => Number(one.quantity), cell: (one) => count(one.quantity) },
    { key: "billable", name: "Of that billable", numeric: true, wide: true, value: (one) => Number(one.billable_quantity), cell: (one) => count(one.billable_quantity) },
    { key: "last", name: "Last use", numeric: true, value: (one) => one.ts_event, cell: (one) => html`<span title=${utc(Date.parse(one.ts_event) / 1000)}>${ago((Date.now() - Date.parse(one.ts_event)) / 1000)}</span>` },
  ];
  return all ? [{ key: "tenant", name: "Tenant", value: (one) => one.tenant_id, cell: (one) => one.tenant_id }, ...found] : found;
}

/** This month and those before, newest first. */
function lastMonths() {
  const now = new Date();
  return Array.from({ length: MONTHS }, (_, back) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7));
}
