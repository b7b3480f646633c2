// @ts-check
// The ticket: an order by hand, the quote that it was given at, and what risk has decided.
import { useEffect, useRef, useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, stamp, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, sentence, Trouble } from "/assets/parts.js";
import { follow } from "/assets/router.js";
import { Problem, user } from "/assets/session.js";
import { subscribe } from "/assets/stream.js";
import { OrderState } from "/assets/orders/state.js";
import { isCertain, forget, submit, unanswered } from "/assets/orders/pending.js";
import { amount, REMEDIES } from "/assets/orders/words.js";

const CHOICES_S = 30;
const DECISION_S = 1;

/** @typedef {{instrument: string, tick_size: string, lot_size: string, min_quantity: string}} Instrument */
/** @typedef {{accounts: Record<string, string[]>, instruments: Instrument[]}} Choices */
/** @typedef {{tenant: string, account: string, symbol: string, side: "BUY" | "SELL", quantity: string, type: "MARKET" | "LIMIT", limit_price: string, time_to_live_s: string}} Form */
/** @typedef {import("/assets/orders/pending.js").Sent} Sent */

const EMPTY = /** @type {Form} */ ({ tenant: "", account: "", symbol: "", side: "BUY", quantity: "", type: "MARKET", limit_price: "", time_to_live_s: "" });

/** @param {{done: () => void}} props `done` is called once an order was taken */
export function Ticket({ done }) {
  /** @type {import("/assets/asked.js").Asked<Choices>} */
  const choices = useAsked("/orders/choices", CHOICES_S);
  const [form, setForm] = useState(EMPTY);
  const [sent, setSent] = useState(unanswered);
  const [taken, setTaken] = useState(/** @type {{body: Record<string, any>, answer: any} | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [busy, setBusy] = useState(false);
  const going = useRef(false); // a second click comes before the button is disabled
  const goingOn = useRef(false); // from one order to the next, without a pointer
  const key = useRef(crypto.randomUUID()); // one for each ticket

  /** @param {Sent} one @param {boolean} again */
  async function send(one, again) {
    if (going.current) return;
    going.current = true;
    setBusy(true);
    setProblem(null);
    try {
      const answer = await submit(one, again);
      setTaken({ body: one.body, answer });
      setSent(null);
      key.current = crypto.randomUUID();
      done();
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
      setSent(isCertain(error, again) ? null : one);
    }
    setBusy(false);
    going.current = false;
  }

  /** @param {Form} filled */
  const order = (filled) => send({ user: user.value?.name ?? "", key: key.current, body: bodyOf(filled) }, false);
  function another() {
    goingOn.current = true;
    setTaken(null);
  }
  function discard() {
    goingOn.current = true;
    forget();
    setSent(null);
    setProblem(null);
    key.current = crypto.randomUUID();
  }

  return html`
    <section class="ticket panel" aria-label="Order ticket">
      <h2>Order ticket</h2>
      <${Trouble} asked=${choices} />
      ${sent !== null
        ? html`<${InDoubt} sent=${sent} problem=${problem} busy=${busy} again=${() => void send(sent, true)} discard=${discard} />`
        : taken !== null
          ? html`<${Taken} body=${taken.body} answer=${taken.answer} another=${another} />`
          : choices.data === null
            ? choices.problem === null && html`<${Rows} rows=${6} />`
            : html`<${Fields} form=${form} set=${setForm} choices=${choices.data} problem=${problem} busy=${busy} focused=${goingOn.current} send=${order} />`}
    </section>`;
}

/** The body of a filled form, without what was left empty. @param {Form} form */
function bodyOf(form) {
  const { limit_price, time_to_live_s, tenant, ...body } = form;
  return {
    ...body,
    quantity: form.quantity.replaceAll(",", "").trim(),
    ...(form.type === "LIMIT" ? { limit_price: limit_price.trim() || null } : {}),
    ...(time_to_live_s.trim() === "" ? {} : { time_to_live_s: time_to_live_s.trim() }),
    ...(user.value?.tenant === null ? { tenant } : {}),
  };
}

/** @param {Record<string, any>} body */
function words(body) {
  const price = body.type === "LIMIT" ? `at ${body.limit_price ?? "a limit"} or better` : "at the market";
  return `${body.side === "BUY" ? "Buy" : "Sell"} ${amount(body.quantity)} ${body.symbol} ${price}, for ${body.tenant ? `${body.tenant}/` : ""}${body.account}`;
}

/** An order that may have been carried out or not. @param {{sent: Sent, problem: Error | null, busy: boolean, again: () => void, discard: () => void}} props */
function InDoubt({ sent, problem, busy, again, discard }) {
  const next = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (problem !== null) next.current?.focus();
  }, [problem]);
  return html`
    <div class="outcome" role="alert">
      <p><span class="badge warn">unknown</span></p>
      <p><strong>${words(sent.body)}.</strong></p>
      <p>Nobody knows yet whether this order was taken. Ask again: the same key never makes a second order.</p>
      ${problem && html`<p class="dim">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
    </div>
    <div class="actions"><button type="submit" ref=${next} disabled=${busy} onClick=${again}>${busy ? "Asking" : "Ask again"}</button><button class="plain" disabled=${busy} onClick=${discard} title="The order may still be carried out">Let it be</button></div>
    <p class="dim">If you let it be, look for the order among the recent ones before you order again.</p>`;
}

/** An order that was taken, and what becomes of it. @param {{body: Record<string, any>, answer: any, another: () => void}} props */
function Taken({ body, answer, another }) {
  const next = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => next.current?.focus(), []);
  return html`
    <div class="outcome" role="status">
      <p><strong>${words(body)}.</strong></p>
      <p>You saw <b>${answer.quote.bid}</b> / <b>${answer.quote.ask}</b>, <span title=${utc(Date.parse(answer.quote.ts_event) / 1000)}>a quote of ${stamp(Date.parse(answer.quote.ts_event) / 1000)}</span>.</p>
      ${answer.order ? html`<${Decision} order=${answer.order} />` : html`<${Awaited} id=${answer.order_id} waits=${answer.waits_for ?? ""} />`}
    </div>
    <div class="actions"><button type="submit" ref=${next} onClick=${another}>Another order</button><a class="button" href=${`/trace?id=${answer.order_id}`} onClick=${follow}>Trace</a></div>`;
}

/** @param {{id: string, waits: string}} props */
function Awaited({ id, waits }) {
  const asked = useAsked(`/orders/${id}`, DECISION_S);
  const order = asked.data?.order ?? null;
  if (order !== null && order.status !== "REQUESTED") return html`<${Decision} order=${order} />`;
  const missing = asked.problem !== null && !(asked.problem instanceof Problem && asked.problem.code === "UNKNOWN_ORDER");
  return html`
    <p><${OrderState} state="REQUESTED" /> Risk has not decided yet.</p>
    ${waits && html`<p>The order waits for ${waits}.</p><${Command} text="./dev feed --help" />`}
    ${missing && html`<p class="dim">${sentence(asked.problem?.message ?? "")}</p>`}`;
}

/** @param {{order: Record<string, any>}} props */
function Decision({ order }) {
  return html`
    <p><${OrderState} state=${order.status} /> ${sentence(order.reason)}</p>
    ${order.codes.length > 0 && html`<dl class="codes">${order.codes.map((/** @type {string} */ code) => html`<div key=${code}><dt>${code}</dt><dd>${REMEDIES[code] ?? "See docs/tenants.md."}</dd></div>`)}</dl>`}`;
}

/** @param {{form: Form, set: (form: Form) => void, choices: Choices, problem: Error | null, busy: boolean, focused: boolean, send: (form: Form) => Promise<void>}} props */
function Fields({ form, set, choices, problem, busy, focused, send }) {
  const root = useRef(/** @type {HTMLFormElement | null} */ (null));
  const tenants = Object.keys(choices.accounts);
  const tenant = form.tenant || (tenants[0] ?? "");
  const accounts = choices.accounts[tenant] ?? [];
  const filled = { ...form, tenant, account: accounts.includes(form.account) ? form.account : (accounts[0] ?? ""), symbol: form.symbol || (choices.instruments[0]?.instrument ?? "") };
  const of = choices.instruments.find((one) => one.instrument === filled.symbol);
  const wrong = problem instanceof Problem ? problem.pointer.replace("#/", "") : "";
  const named = wrong in EMPTY && (wrong !== "limit_price" || form.type === "LIMIT");

  /** @param {string} name */
  const focus = (name) => /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector(`[name="${name}"]`))?.focus();
  useEffect(() => {
    if (focused) focus("quantity");
  }, []);
  useEffect(() => {
    if (named) focus(wrong);
  }, [problem]);

  if (choices.instruments.length === 0) {
    return html`<div class="empty"><strong>No instrument is quoted.</strong>An order needs a quote. Start a feed:</div><${Command} text="./dev feed --help" />`;
  }
  if (accounts.length === 0) {
    return html`<div class="empty"><strong>${tenant || "Your tenant"} has no account.</strong>Add one:</div><${Command} text=${`./dev tenants set ${tenant || "TENANT"} --help`} />`;
  }

  /** @param {Partial<Form>} change */
  const change = (change) => set({ ...filled, ...change });
  /** @param {string} name */
  const flawed = (name) => (named && wrong === name ? { "aria-invalid": "true", "aria-describedby": "ticket-problem" } : {});
  const flaw = html`<p class="problem" role="alert" id="ticket-problem">${sentence(problem?.message ?? "")} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`;
  /** @param {keyof Form} name */
  const under = (name) => named && wrong === name && flaw;
  /** @param {keyof Form} name @param {string} label @param {Record<string, any>} more */
  const input = (name, label, more) => html`
    <label class=${`field ${name}`}><span>${label}</span><input name=${name} value=${form[name]} autocomplete="off" spellcheck=${false} inputmode="decimal" maxlength="40" disabled=${busy} onInput=${(/** @type {any} */ event) => change({ [name]: event.currentTarget.value })} ...${more} ...${flawed(name)} /></label>${under(name)}`;
  /** @param {keyof Form} name @param {string} label @param {string[]} values */
  const select = (name, label, values) => html`
    <label class=${`field ${name}`}><span>${label}</span><select name=${name} value=${filled[name]} disabled=${busy} onChange=${(/** @type {any} */ event) => change(name === "tenant" ? { tenant: event.currentTarget.value, account: "" } : { [name]: event.currentTarget.value })} ...${flawed(name)}>${values.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>${under(name)}`;
  /** @param {"side" | "type"} name @param {string} label @param {[string, string][]} values */
  const choice = (name, label, values) => html`
    <fieldset class=${`field ${name}`} disabled=${busy}><legend class="hidden">${label}</legend>${values.map(([value, word]) => html`<label key=${value} class=${`${value.toLowerCase()} ${form[name] === value ? "chosen" : ""}`}><input type="radio" name=${name} value=${value} checked=${form[name] === value} onChange=${() => change({ [name]: value })} /><span>${word}</span></label>`)}</fieldset>${under(name)}`;

  return html`
    <form ref=${root} onSubmit=${(/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      set(filled);
      void send(filled);
    }}>
      ${user.value?.tenant === null && select("tenant", "Tenant", tenants)}
      ${select("account", "Account", accounts)}
      ${select("symbol", "Instrument", choices.instruments.map((one) => one.instrument))}
      <${Quote} key=${filled.symbol} symbol=${filled.symbol} />
      ${choice("side", "Side", [["BUY", "Buy"], ["SELL", "Sell"]])}
      ${input("quantity", "Quantity, units", { required: true, placeholder: `${amount(of?.min_quantity ?? "")}, in steps of ${amount(of?.lot_size ?? "")}` })}
      ${choice("type", "Type", [["MARKET", "Market"], ["LIMIT", "Limit"]])}
      ${form.type === "LIMIT" && input("limit_price", "Limit price", { required: true, placeholder: `in steps of ${of?.tick_size ?? ""}` })}
      ${input("time_to_live_s", "Expires after, s of event time", { placeholder: "with the source of quotes", inputmode: "numeric" })}
      ${problem !== null && !named && flaw}
      <button type="submit" class=${form.side === "SELL" ? "danger" : ""} disabled=${busy}>${busy ? "Sending" : `${form.side === "BUY" ? "Buy" : "Sell"} ${form.quantity.trim() === "" ? "" : amount(form.quantity.replaceAll(",", "").trim())} ${filled.symbol}`}</button>
    </form>`;
}

/** The quote of an instrument as it changes. @param {{symbol: string}} props */
function Quote({ symbol }) {
  const [tick, setTick] = useState(/** @type {Record<string, any> | null} */ (null));
  useEffect(() => subscribe("ticks", setTick, [symbol]), [symbol]);
  const at = tick === null ? 0 : Date.parse(tick.ts_event) / 1000;
  return html`
    <dl class="quote" aria-label="Quote">
      <div><dt>Bid</dt><dd>${tick?.bid ?? "–"}</dd></div>
      <div><dt>Ask</dt><dd>${tick?.ask ?? "–"}</dd></div>
      <div><dt>Quoted</dt><dd title=${tick === null ? "" : utc(at)}>${tick === null ? "–" : ago(Math.max(0, Date.now() / 1000 - at))}</dd></div>
    </dl>`;
}
