// @ts-check
// Orders: what is open, what came before, the fills, and a ticket for those who may trade.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { stamp, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, sentence, Trouble } from "/assets/parts.js";
import { follow } from "/assets/router.js";
import { get, Problem, user } from "/assets/session.js";
import { mayStop } from "/assets/stop.js";
import { Table } from "/assets/table.js";
import { cancel } from "/assets/orders/pending.js";
import { OrderState } from "/assets/orders/state.js";
import { Ticket } from "/assets/orders/ticket.js";
import { amount, wanted } from "/assets/orders/words.js";

const EVERY_S = 3;
const PAGE = 100;
const OPEN = 500; // the most of one answer

/** @typedef {Record<string, any>} Order */
/** @typedef {{tone: string, text: string}} Told */
/** What a list asks for: its route, where its rows stand, and how many it shows. @type {Record<"orders" | "fills", {path: string, word: string}>} */
const LISTS = { orders: { path: "/orders/status", word: "orders" }, fills: { path: "/executions/history", word: "fills" } };

export function OrdersPage() {
  const may = mayStop(user.value?.role); // the same roles
  const open = useAsked(`/orders/status?open=true&limit=${OPEN}`, EVERY_S);
  const [list, setList] = useState(/** @type {"orders" | "fills"} */ ("orders"));
  const [told, setTold] = useState(/** @type {Told | null} */ (null));
  const [turns, setTurns] = useState(0);
  /** @type {Order[] | null} */
  const rows = open.data?.orders ?? null;

  function again() {
    open.again();
    setTurns(turns + 1);
  }

  return html`
    <main class="beside ${open.late !== null ? "old" : ""}">
      <h1 class="hidden">Orders</h1>
      ${may
        ? html`<${Ticket} done=${again} />`
        : html`<section class="ticket panel" aria-label="Order ticket"><h2>Order ticket</h2><p class="dim">Operators, owners and traders submit and cancel orders. You are signed in as ${user.value?.role}, and see the orders.</p></section>`}
      <div class="list">
        <${Trouble} asked=${open} />
        ${told && html`<p class="panel told ${told.tone}" role=${told.tone === "bad" ? "alert" : "status"}><span>${told.text}</span><button class="quiet" aria-label="Close the message" onClick=${() => setTold(null)}>✕</button></p>`}
        <div class="tools"><h2>Open orders</h2>${rows !== null && html`<span class="dim">${rows.length}${open.data?.next ? " and more" : ""}</span>`}</div>
        <div class="half">${rows === null
          ? html`<${Rows} rows=${3} />`
          : html`<${Table} label="Open orders" columns=${orderColumns(may ? (order) => html`<${Cancel} order=${order} tell=${setTold} done=${again} />` : null)} rows=${rows} id=${(/** @type {Order} */ one) => one.event_id} first="at" descends=${true} empty=${html`<strong>No order is open.</strong>An order stands here until it is filled, or ends otherwise.`} />`}</div>
        <div class="tools">
          <h2>Recent</h2>
          <div class="chips" role="group" aria-label="What to list">
            <button aria-pressed=${list === "orders"} onClick=${() => setList("orders")}>Orders</button>
            <button aria-pressed=${list === "fills"} onClick=${() => setList("fills")}>Fills</button>
          </div>
        </div>
        <${Recent} key=${`${list} ${turns}`} list=${list} />
        <${Command} text=${`./dev ${list}${user.value?.tenant ? ` --tenant ${user.value.tenant}` : ""}`} />
      </div>
    </main>`;
}

/** Recent orders or fills, and older ones on demand. @param {{list: "orders" | "fills"}} props */
function Recent({ list }) {
  const { path, word } = LISTS[list];
  const asked = useAsked(`${path}?limit=${PAGE}`, EVERY_S);
  const [older, setOlder] = useState(/** @type {{rows: Order[], next: string | null} | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  /** @type {Order[] | null} */
  const newest = asked.data?.[list] ?? null;
  const known = new Set((newest ?? []).map((one) => one.event_id));
  const rows = newest && [...newest, ...(older?.rows ?? []).filter((one) => !known.has(one.event_id))];
  const next = older === null ? (asked.data?.next ?? null) : older.next;

  async function more() {
    try {
      const found = await get(`${path}?limit=${PAGE}&cursor=${encodeURIComponent(next ?? "")}`);
      setOlder({ rows: [...(older?.rows ?? []), ...found[list]], next: found.next });
      setProblem(null);
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
    }
  }

  return html`
    <${Trouble} asked=${asked} />
    ${rows === null
      ? html`<${Rows} rows=${6} />`
      : html`<${Table} label=${`Recent ${word}`} columns=${list === "orders" ? orderColumns(null) : fillColumns()} rows=${rows} id=${(/** @type {Order} */ one) => one.event_id} first="at" descends=${true} empty=${html`<strong>There are no ${word} yet.</strong>They stand here some seconds after they come.`} />`}
    ${problem && html`<p class="problem" role="alert">${sentence(problem.message)}</p>`}
    ${next !== null && html`<button class="plain more" onClick=${() => void more()}>Show older ${word}</button>`}`;
}

/** @param {string} at */
function when(at) {
  return html`<span title=${utc(Date.parse(at) / 1000)}>${stamp(Date.parse(at) / 1000)}</span>`;
}

/** @param {Order} one */
function whose(one) {
  return user.value?.tenant === null ? `${one.tenant_id}/${one.account_id}` : one.account_id;
}

/** @param {string} id @param {string} name */
function trace(id, name) {
  return html`<a href=${`/trace?id=${encodeURIComponent(id)}`} onClick=${follow} aria-label=${`Trace ${name} ${id}`}>Trace</a>`;
}

/** @param {((order: Order) => any) | null} act what stands at the end of a row
 * @returns {import("/assets/table.js").Column<Order>[]} */
function orderColumns(act) {
  return [
    { key: "order", name: "Order", value: (one) => `${one.symbol}.${one.venue}`, cell: (one) => html`<strong>${wanted(one)}</strong><span class="second">${one.symbol}.${one.venue}</span>` },
    { key: "state", name: "State", value: (one) => one.status, cell: (one) => html`<${OrderState} state=${one.status} />` },
    { key: "limit", name: "Limit", numeric: true, value: (one) => (one.limit_price === null ? null : Number(one.limit_price)), cell: (one) => one.limit_price ?? html`<span class="dim">${one.order_type.toLowerCase()}</span>` },
    { key: "filled", name: "Filled", numeric: true, value: (one) => Number(one.filled_quantity), cell: (one) => amount(one.filled_quantity) },
    { key: "account", name: "Account", wide: true, value: whose, cell: (one) => html`${whose(one)}<span class="second">${one.deployment === "@manual" ? "by hand" : one.deployment}</span>` },
    { key: "why", name: "Why", wide: true, value: (one) => one.reason, cell: (one) => html`<span class="reason">${one.codes.length > 0 ? `${one.codes.join(", ")}: ` : ""}${one.reason || "–"}</span>` },
    { key: "at", name: "When", numeric: true, wide: true, title: "Event time of the request", value: (one) => one.ts_event, cell: (one) => when(one.ts_event) },
    { key: "act", name: "Do", numeric: true, wide: true, value: () => null, cell: (one) => html`<span class="acts">${act?.(one)}${trace(one.order_id, "order")}</span>` },
  ];
}

/** @returns {import("/assets/table.js").Column<Order>[]} */
function fillColumns() {
  return [
    { key: "fill", name: "Fill", value: (one) => `${one.symbol}.${one.venue}`, cell: (one) => html`<strong>${one.side} ${amount(one.quantity)}</strong><span class="second">${one.symbol}.${one.venue}</span>` },
    { key: "price", name: "Price", numeric: true, value: (one) => Number(one.price), cell: (one) => one.price },
    { key: "liquidity", name: "Liquidity", value: (one) => one.liquidity, cell: (one) => one.liquidity.toLowerCase() },
    { key: "account", name: "Account", wide: true, value: whose, cell: (one) => html`${whose(one)}<span class="second">${one.deployment === "@manual" ? "by hand" : one.deployment}</span>` },
    { key: "at", name: "When", numeric: true, wide: true, title: "Event time", value: (one) => one.ts_event, cell: (one) => when(one.ts_event) },
    { key: "act", name: "Do", numeric: true, value: () => null, cell: (one) => trace(one.order_id, "the fill of order") },
  ];
}

/** @param {{order: Order, tell: (told: Told) => void, done: () => void}} props */
function Cancel({ order, tell, done }) {
  const [busy, setBusy] = useState(false);
  const name = `${wanted(order)} ${order.symbol}.${order.venue}`;

  async function act() {
    setBusy(true);
    try {
      const answer = await cancel(order.order_id);
      tell({ tone: "ok", text: answer.order ? `${name} is ${answer.status.toLowerCase()}.` : `${name}: the cancel was taken. The order ends within a second of event time.` });
    } catch (error) {
      const why = /** @type {Error} */ (error);
      const certain = why instanceof Problem && why.status < 500;
      tell({ tone: "bad", text: `${name}: ${sentence(why.message)} ${certain ? sentence(why.remedy) : "The cancel may have been taken. Cancel again: it is the same command."}` });
    }
    setBusy(false);
    done();
  }

  return html`<button class="plain" disabled=${busy} aria-label=${`Cancel ${name}, ${order.order_id}`} onClick=${() => void act()}>${busy ? "Cancelling" : "Cancel"}</button>`;
}
