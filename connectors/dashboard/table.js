// @ts-check
// A table that a person sorts by its heads; rows that compare equal stay as they come. On a narrow screen each row is a card, with the heads as labels.
import { useState } from "preact/hooks";
import { html } from "/assets/html.js";

/** @template Row @typedef {{key: string, name: string, value: (row: Row) => string | number | null, cell: (row: Row) => any, numeric?: boolean, wide?: boolean, title?: string}} Column */

/** `value` is what a column sorts by; what is not known comes last, whichever way it is sorted.
 * @template Row
 * @param {{label: string, columns: Column<Row>[], rows: Row[], id: (row: Row) => string, first: string, descends?: boolean, chosen?: string | null, empty: any}} props */
export function Table({ label, columns, rows, id, first, descends = false, chosen = null, empty }) {
  const [by, setBy] = useState({ key: first, down: descends });
  const column = columns.find((one) => one.key === by.key);
  const sorted = column === undefined ? rows : [...rows].sort((a, b) => compared(column.value(a), column.value(b), by.down));
  /** @param {Column<Row>} one */
  const sort = (one) => setBy({ key: one.key, down: by.key === one.key ? !by.down : Boolean(one.numeric) });
  return html`
    <div class="table panel scrolls" tabindex="0" role="region" aria-label=${label}>
      <table>
        <thead>
          <tr>${columns.map((one) => html`
            <th key=${one.key} scope="col" class=${one.numeric ? "number" : ""} aria-sort=${by.key === one.key ? (by.down ? "descending" : "ascending") : "none"}>
              <button title=${one.title ?? ""} onClick=${() => sort(one)}>${one.name}<i aria-hidden="true">${by.key === one.key ? (by.down ? "▾" : "▴") : ""}</i></button>
            </th>`)}
          </tr>
        </thead>
        <tbody>
          ${sorted.map((row) => html`
            <tr key=${id(row)} class=${id(row) === chosen ? "chosen" : ""}>
              ${columns.map((one) => html`<td key=${one.key} class=${`${one.numeric ? "number" : ""} ${one.wide ? "wide" : ""}`} data-label=${one.name}>${one.cell(row)}</td>`)}
            </tr>`)}
        </tbody>
      </table>
      ${rows.length === 0 && html`<div class="empty">${empty}</div>`}
    </div>`;
}

/** @param {string | number | null} a @param {string | number | null} b @param {boolean} down */
function compared(a, b, down) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "string" && typeof b === "string" ? a.localeCompare(b) : Number(a) - Number(b);
  return down ? -order : order;
}
