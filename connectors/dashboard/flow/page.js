// @ts-check
// The first page: who writes and reads which topic, what flows, and who is behind.
import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { Detail } from "/assets/flow/detail.js";
import { List } from "/assets/flow/list.js";
import { readers, troubled } from "/assets/flow/model.js";
import { PictureOf } from "/assets/flow/picture.js";
import { Attention, Summary } from "/assets/flow/summary.js";
import { html } from "/assets/html.js";
import { get } from "/assets/session.js";
import { heard, stale, subscribe } from "/assets/stream.js";

const SYSTEM_EVERY_S = 5;
const AGAIN_S = 3;
const NARROW = matchMedia("(max-width: 900px)");

export function FlowPage() {
  const now = useSignal(/** @type {import("/assets/flow/model.js").Now | null} */ (null));
  const system = useSignal(/** @type {any} */ (null));
  const [picture, setPicture] = useState(/** @type {import("/assets/flow/model.js").Picture | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const [narrow, setNarrow] = useState(NARROW.matches);
  const [asList, setAsList] = useState(false);

  useEffect(() => {
    let timer = 0;
    async function ask() {
      try {
        const found = await get("/streams/flow");
        setPicture(found.picture);
        setProblem(found.trouble === null ? null : { message: found.trouble, remedy: "The gateway asks again each second." });
        now.value ??= found.now;
      } catch (error) {
        setProblem(error);
        timer = setTimeout(() => void ask(), AGAIN_S * 1000);
      }
    }
    void ask();
    return () => clearTimeout(timer);
  }, []);

  // Why no numbers come, as far as the gateway can still say it.
  const old = stale.value;
  useEffect(() => {
    if (!old) return undefined;
    const ask = () => void get("/streams/flow").then((found) => setProblem(found.trouble && { message: `The gateway cannot ask Kafka: ${found.trouble}.`, remedy: "It asks again each second. ./dev doctor says what to do." }), setProblem);
    ask();
    const timer = setInterval(ask, SYSTEM_EVERY_S * 1000);
    return () => clearInterval(timer);
  }, [old]);

  useEffect(() => subscribe("flow", (data) => { now.value = data; setProblem(null); }), []);

  useEffect(() => {
    const ask = () => void get("/health/system").then((found) => (system.value = found), () => null);
    ask();
    const timer = setInterval(ask, SYSTEM_EVERY_S * 1000);
    return () => clearInterval(timer);
  }, []);

  useEffect(() => {
    const changed = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", changed);
    return () => NARROW.removeEventListener("change", changed);
  }, []);

  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const pressed = (event) => event.key === "Escape" && setChosen(null);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);

  if (picture === null) return html`<main class="flow">${problem ? html`<${Trouble} problem=${problem} />` : html`<${Loading} />`}</main>`;
  const found = readers(picture, now.value);
  const card = picture.cards.find((one) => one.id === chosen) ?? null;
  return html`
    <main class="flow ${old ? "old" : ""}">
      <h1 class="hidden">Flow</h1>
      ${problem && html`<${Trouble} problem=${problem} />`}
      <div class="top">
        <${Summary} now=${now.value} system=${system.value} readers=${found} />
        ${!narrow && html`<button class="quiet" aria-pressed=${asList} onClick=${() => setAsList(!asList)}>${asList ? "Picture" : "List"}</button>`}
      </div>
      <${Attention} old=${old ? heard.value / 1000 : null} known=${now.value !== null} found=${troubled(found)} system=${system.value} choose=${setChosen} />
      <div class="stage">
        ${narrow || asList
          ? html`<${List} picture=${picture} now=${now.value} choose=${setChosen} />`
          : html`<${PictureOf} picture=${picture} now=${now.value} chosen=${chosen} choose=${setChosen} />`}
      </div>
      ${card && html`<${Detail} card=${card} picture=${picture} now=${now.value} close=${() => setChosen(null)} choose=${setChosen} />`}
    </main>
  `;
}

/** @param {{problem: any}} props */
function Trouble({ problem }) {
  return html`<p class="problem panel" role="alert"><strong>${problem.message}</strong> ${problem.remedy ?? ""}</p>`;
}

function Loading() {
  return html`
    <div class="loading" role="status" aria-label="Loading">
      <div class="top"><div class="tiles">${[1, 2, 3, 4].map((key) => html`<div class="tile skeleton" key=${key}></div>`)}</div></div>
      <div class="stage skeleton"></div>
    </div>
  `;
}
