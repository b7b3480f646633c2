// @ts-check
// Small parts that several pages show: states, numbers in tiles, trouble, lines of lag, commands to copy.
import { useEffect, useRef, useState } from "preact/hooks";
import { clock } from "/assets/format.js";
import { STATES } from "/assets/flow/words.js";
import { html } from "/assets/html.js";
import { Problem } from "/assets/session.js";

/** @param {{state: string, title?: string}} props */
export function State({ state, title }) {
  const { word, tone, means } = STATES[state] ?? { word: state, tone: "unknown", means: "" };
  return html`<span class="badge ${tone}" title=${title ?? means}>${word}</span>`;
}

/** @param {{name: string, value: string, unit?: string, note?: string, tone?: string}} props */
export function Tile({ name, value, unit = "", note = "", tone = "" }) {
  return html`<div class="tile ${tone}"><dt>${name}</dt><dd title=${note}>${value}<small>${unit}</small>${note && html`<small class="note">${note}</small>`}</dd></div>`;
}

/** What stands above a page's table: why it has no numbers, or that they are old.
 * @param {{asked: import("/assets/asked.js").Asked<any>}} props */
export function Trouble({ asked }) {
  const { problem, late } = asked;
  if (problem === null && late === null) return null;
  const starting = problem instanceof Problem && problem.code === "STARTING";
  if (starting && asked.data === null) return html`<p class="note-line" role="status">${sentence(problem.message)} ${sentence(problem.remedy)}</p>`;
  return html`
    <div class="problem panel" role="alert">
      ${late !== null && html`<strong>These numbers are of ${clock(late)}.</strong> `}
      ${problem !== null && html`<span>${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : "The gateway asks again by itself; ./dev status shows the same in a terminal."}</span>`}
    </div>`;
}

/** @param {string} text */
export function sentence(text) {
  return text && `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Rows that are still to come, as tall as those that will. @param {{rows?: number}} props */
export function Rows({ rows = 8 }) {
  return html`<div class="rows" role="status" aria-label="Loading">${Array.from({ length: rows }, (_, at) => html`<div class="skeleton" key=${at}></div>`)}</div>`;
}

const SPARK = { width: 92, height: 22, inset: 2 };

/** A line of the last minute and a half. @param {{points: [number, number][], label: string, tone?: string}} props */
export function Spark({ points, label, tone = "" }) {
  if (points.length < 2) return html`<span class="dim">–</span>`;
  const [begin, end] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const most = Math.max(1, ...points.map((point) => point[1]));
  const across = (SPARK.width - 2 * SPARK.inset) / Math.max(1e-9, end - begin);
  const up = (SPARK.height - 2 * SPARK.inset) / most;
  const line = points.map(([at, value]) => `${(SPARK.inset + (at - begin) * across).toFixed(1)},${(SPARK.height - SPARK.inset - value * up).toFixed(1)}`);
  const area = `M${SPARK.inset},${SPARK.height - SPARK.inset}L${line.join("L")}L${SPARK.width - SPARK.inset},${SPARK.height - SPARK.inset}Z`;
  return html`
    <svg class="spark ${tone}" viewBox="0 0 ${SPARK.width} ${SPARK.height}" width=${SPARK.width} height=${SPARK.height} role="img" aria-label=${label}>
      <path class="under" d=${area} /><path class="line" d=${`M${line.join("L")}`} />
    </svg>`;
}

/** Part of a whole, 0 to 1. @param {{part: number | null, label: string, tone?: string}} props */
export function Meter({ part, label, tone = "" }) {
  if (part === null) return null;
  const width = `${Math.round(Math.min(1, Math.max(0, part)) * 100)}%`;
  return html`<span class="meter ${tone}" role="img" aria-label=${label} title=${label}><i style=${{ width }}></i></span>`;
}

/** A command to paste into a terminal. @param {{text: string}} props */
export function Command({ text }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  }
  return html`<span class="command"><code>${text}</code><button class="quiet" onClick=${() => void copy()} aria-label=${`Copy ${text}`}>${copied ? "Copied" : "Copy"}</button></span>`;
}

/** What a row says in full, beside the table.
 * @param {{name: string, badge?: any, broad?: boolean, close: () => void, children?: any}} props */
export function Aside({ name, badge, broad = false, close, children }) {
  const closing = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => closing.current?.focus(), [name]);
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const pressed = (event) => event.key === "Escape" && close();
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [close]);
  return html`
    <aside class="detail panel ${broad ? "broad" : ""}" aria-label=${`${name} in full`}>
      <header><h2>${name}</h2>${badge}<span class="fill"></span><button class="quiet" ref=${closing} onClick=${close} aria-label="Close">✕</button></header>
      ${children}
    </aside>`;
}
