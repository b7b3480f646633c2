// @ts-check
// Trace: the way of an order from the quote to the position, by any id on it.
import { useEffect, useState } from "preact/hooks";
import { stamp, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Rows, sentence } from "/assets/parts.js";
import { get, Problem } from "/assets/session.js";

/** @typedef {{kind: string, id: string, after_us: string | null, event: Record<string, any>}} Step */
/** @typedef {{id: string, orders: {order_id: string, steps: Step[]}[], trouble: string | null}} Trace */

/** Kind of a step -> its name, and what it says in one line. @type {Record<string, {name: string, says: (event: Record<string, any>) => string}>} */
const KINDS = {
  quote: { name: "Quote", says: (event) => `${event.symbol}.${event.venue}: ${event.bid} / ${event.ask}` },
  bar: { name: "Bar", says: (event) => `${event.interval_s} s of ${event.symbol}.${event.venue}, closed at ${event.mid_close}` },
  answer: { name: "Model's answer", says: (event) => `${event.status.toLowerCase()}, ${event.request_type}` },
  signal: { name: "Signal", says: (event) => `${event.direction.toLowerCase()} at strength ${event.strength} by ${event.strategy}: ${event.reason}` },
  command: { name: "Order by hand", says: (event) => `${event.side.toLowerCase()} ${event.quantity}, ${event.order_type.toLowerCase()}, at a quote of ${event.quote_bid} / ${event.quote_ask}` },
  request: { name: "Request", says: (event) => `${event.mode.toLowerCase()} ${event.units} units, ${event.order_type.toLowerCase()}, for ${event.account_id}` },
  decision: { name: "Decision", says: (event) => `${event.outcome.toLowerCase()}${event.codes.length > 0 ? ` (${event.codes.join(", ")})` : ""}: ${event.reason}` },
  order: { name: "Order", says: (event) => `${event.status.toLowerCase()}, ${event.filled_quantity} filled${event.reason ? `: ${event.reason}` : ""}` },
  fill: { name: "Fill", says: (event) => `${event.side.toLowerCase()} ${event.quantity} at ${event.price}` },
  position: { name: "Position", says: (event) => `${event.quantity} units at ${event.average_price}` },
};

export function TracePage() {
  const [id, setId] = useState(() => new URLSearchParams(location.search).get("id") ?? "");
  const [busy, setBusy] = useState(false);
  const [trace, setTrace] = useState(/** @type {Trace | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));

  async function find() {
    setBusy(true);
    setProblem(null);
    setTrace(null);
    try {
      setTrace(await get(`/trace/${encodeURIComponent(id.trim())}`));
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
    }
    setBusy(false);
  }

  useEffect(() => {
    if (id !== "") void find();
  }, []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    event.preventDefault();
    history.replaceState(null, "", `/trace?id=${encodeURIComponent(id.trim())}`);
    void find();
  }

  return html`
    <main class="list">
      <h1 class="hidden">Trace</h1>
      <form class="search panel" onSubmit=${submitted} role="search">
        <label class="where">Id of an order, signal, request, decision, order event or fill<input name="id" value=${id} required autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => setId(event.currentTarget.value)} /></label>
        <div class="actions"><button type="submit" disabled=${busy || id.trim() === ""}>Trace</button></div>
      </form>
      ${problem && html`<p class="problem panel" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
      ${trace?.trouble && html`<p class="problem panel" role="alert">${sentence(trace.trouble)}</p>`}
      ${busy && html`<${Rows} rows=${6} />`}
      ${trace?.orders.map((order) => html`<${Way} key=${order.order_id} order=${order} />`)}
      ${trace === null && problem === null && !busy && html`<div class="empty panel"><strong>Give any id.</strong>The way goes from the quote and the bar to the fill and the position.</div>`}
    </main>`;
}

/** @param {{order: {order_id: string, steps: Step[]}}} props */
function Way({ order }) {
  const [open, setOpen] = useState(-1);
  return html`
    <section class="way panel" aria-label=${`Order ${order.order_id}`}>
      <h2>Order ${order.order_id}</h2>
      <ol>${order.steps.map((step, at) => html`
        <li key=${at}>
          <button class="step" aria-expanded=${open === at} onClick=${() => setOpen(open === at ? -1 : at)}>
            <span class="after">${step.after_us === null ? "" : span(step.after_us)}</span>
            <b>${KINDS[step.kind]?.name ?? step.kind}</b>
            <span class="what">${KINDS[step.kind]?.says(step.event) ?? ""}</span>
            <time title=${utc(Date.parse(step.event.ts_event) / 1000)}>${stamp(Date.parse(step.event.ts_event) / 1000)}</time>
          </button>
          ${open === at && html`<pre class="json">${JSON.stringify(step.event, null, 1)}</pre>`}
        </li>`)}
      </ol>
    </section>`;
}

/** Event time between two steps. @param {string} us */
function span(us) {
  const value = Number(us);
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "+";
  if (size < 1000) return `${sign}${size} µs`;
  if (size < 1_000_000) return `${sign}${(size / 1000).toFixed(size < 100_000 ? 1 : 0)} ms`;
  if (size < 600_000_000) return `${sign}${(size / 1e6).toFixed(size < 10_000_000 ? 2 : 0)} s`;
  return `${sign}${(size / 6e7).toFixed(0)} min`;
}
