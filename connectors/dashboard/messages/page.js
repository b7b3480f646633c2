// @ts-check
// Messages: records of a topic, decoded, newest first or live; by key, tenant, time and field.
import { useEffect, useState } from "preact/hooks";
import { bytes, count, stamp, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { exported, forget, found, live, more, MOST_HITS, search, stop } from "/assets/messages/search.js";
import { Command, sentence } from "/assets/parts.js";
import { get, Problem, user } from "/assets/session.js";

const SHOWN = 4; // fields of a record in its line
/** Fields that say little in a line: all records have them, or the line says them already. */
const DULL = new Set(["event_id", "ts_ingest", "correlation_id", "causation_id", "ts_event"]);

/** @typedef {import("/assets/messages/search.js").Hit} Hit */
/** @typedef {import("/assets/messages/search.js").Wanted} Wanted */

/** What the address asks for, so that a search can be sent to somebody. @returns {Wanted} */
function asked() {
  const given = new URLSearchParams(location.search);
  const of = (/** @type {string} */ name) => given.get(name) ?? "";
  return { topic: of("topic"), key: of("key"), tenant: of("tenant"), where: of("where"), since: of("since") };
}

export function MessagesPage() {
  const [wanted, setWanted] = useState(asked);
  const [topics, setTopics] = useState(/** @type {string[]} */ ([]));
  const { state, problem, hits, consume } = found.value;

  useEffect(() => {
    void get("/streams/topics").then((answer) => setTopics(answer.topics.map((/** @type {any} */ one) => one.name)), () => null);
    if (wanted.topic) search(wanted);
    return forget;
  }, []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    event.preventDefault();
    keep(wanted);
    search(wanted);
  }

  /** @param {keyof Wanted} name */
  const field = (name) => ({ name, value: wanted[name], onInput: (/** @type {any} */ event) => setWanted({ ...wanted, [name]: event.currentTarget.value }) });
  const runs = state === "searching" || state === "live";
  return html`
    <main class="list">
      <h1 class="hidden">Messages</h1>
      <form class="search panel" onSubmit=${submitted} role="search">
        <label class="topic">Topic<input ...${field("topic")} list="topics" required autocomplete="off" spellcheck=${false} placeholder="market.ticks" /></label>
        <datalist id="topics">${topics.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
        <label>Key<input ...${field("key")} autocomplete="off" spellcheck=${false} placeholder="EURUSD.OANDA" /></label>
        ${user.value?.tenant === null && html`<label>Tenant<input ...${field("tenant")} autocomplete="off" spellcheck=${false} placeholder="all" /></label>`}
        <label class="since">Since<input ...${field("since")} type="datetime-local" step="1" /></label>
        <label class="where">Filter<input ...${field("where")} autocomplete="off" spellcheck=${false} placeholder="side = BUY and price > 1.1" aria-invalid=${isOf(problem, "query: where")} /></label>
        <div class="actions">
          ${runs
            ? html`<button type="button" class="plain" onClick=${stop}>${state === "live" ? "Pause" : "Cancel"}</button>`
            : html`<button type="submit">Search</button>`}
          <button type="button" class="plain" disabled=${!wanted.topic || state === "live"} onClick=${() => { keep(wanted); void live(wanted); }}>Live</button>
        </div>
      </form>
      ${problem && html`<p class="problem panel" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
      <${Progress} wanted=${wanted} />
      ${hits.length > 0 && html`<ol class="hits panel">${hits.map((hit) => html`<${Line} key=${`${hit.partition}@${hit.offset}`} hit=${hit} />`)}</ol>`}
      ${hits.length === 0 && html`<div class="empty panel">${empty(state)}</div>`}
      ${state === "paused" && found.value.next !== null && html`<button class="plain more" onClick=${() => more(wanted)}>Search further back</button>`}
      ${consume && html`<${Command} text=${consume} />`}
    </main>`;
}

/** Keep a search in the address. @param {Wanted} wanted */
function keep(wanted) {
  history.replaceState(null, "", `/messages?${new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ""))}`);
}

/** @param {Error | null} problem @param {string} pointer */
function isOf(problem, pointer) {
  return problem instanceof Problem && problem.pointer === pointer;
}

/** @param {string} state */
function empty(state) {
  if (state === "idle") return html`<strong>Which topic?</strong>Records come newest first, over all partitions. With a key, only its partition is read.`;
  if (state === "searching") return "Searching";
  if (state === "live") return "Waiting for records";
  return html`<strong>No record.</strong>Nothing on this topic is what you search for, as far as it was searched.`;
}

/** @type {Record<string, string>} */
const STATES = { searching: "searching", live: "live", done: "all of it", paused: "so far", cancelled: "cancelled", full: `at the limit of ${count(MOST_HITS)} records or 256 MiB` };

/** @param {{wanted: Wanted}} props */
function Progress({ wanted }) {
  const { state, hits, records, bytes: size, left } = found.value;
  if (state === "idle") return null;
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(exported(hits, wanted.topic));
    link.download = `${wanted.topic}.jsonl`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
  return html`
    <div class="progress" role="status">
      <span><strong>${count(hits.length)}</strong> found</span><span>${count(records)} records searched, ${bytes(size)}</span>
      ${left !== "0" && state !== "live" && html`<span>${count(left)} offsets left</span>`}<span class="dim">${STATES[state]}</span>
      <span class="fill"></span>
      <button class="quiet" disabled=${hits.length === 0} onClick=${save}>Export</button>
    </div>`;
}

/** @param {{hit: Hit}} props */
function Line({ hit }) {
  const [open, setOpen] = useState(false);
  return html`
    <li>
      <button class="line" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span class="when" title=${utc(hit.timestamp)}>${stamp(hit.timestamp)}</span>
        <span class="where-at">${hit.partition}@${hit.offset}</span>
        <span class="key">${hit.key ?? ""}</span>
        <span class="what">${hit.deleted ? html`<span class="badge idle">deleted</span>` : hit.event ? html`<strong>${hit.model}</strong> ${told(hit.event)}` : html`<span class="badge warn">no event</span> ${hit.reason}`}</span>
      </button>
      ${open && html`<pre tabindex="0">${hit.event ? JSON.stringify(hit.event, null, 2) : hit.hex ? spaced(hit) : "The key was deleted."}</pre>`}
    </li>`;
}

/** The first fields that say something. @param {Record<string, any>} event */
function told(event) {
  const fields = Object.entries(event).filter(([name, value]) => !DULL.has(name) && value !== null && typeof value !== "object" && value !== "");
  return fields.slice(0, SHOWN).map(([name, value]) => html`<span class="field" key=${name}>${name} <b>${String(value)}</b></span>`);
}

/** @param {Hit} hit */
function spaced(hit) {
  const shown = (hit.hex ?? "").replace(/(.{2})/g, "$1 ").replace(/(.{48})/g, "$1\n");
  return `${hit.reason}\n\n${shown}${(hit.hex ?? "").length / 2 < hit.bytes ? `\n... ${count(hit.bytes)} bytes in all` : ""}`;
}
