// @ts-check
// A question to a model, with what its answer took and cost.
import { useRef, useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { count, seconds } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Command, Rows, sentence, Trouble } from "/assets/parts.js";
import { post, Problem, user } from "/assets/session.js";

const ROLES = ["owner", "trader", "analyst"]; // an operator has no tenant that pays
const NAMES_S = 60;
const TOKENS = "256";

/** @typedef {{answer: any, took_s: number}} Answered */

export function Ask() {
  if (ROLES.includes(user.value?.role ?? "")) return html`<${Question} />`;
  const why = user.value?.role === "operator" ? "An operator belongs to no tenant that would pay. Sign in as a user of a tenant, or ask in a terminal:" : `Owners, traders and analysts ask models. You are signed in as ${user.value?.role}.`;
  return html`<section class="ticket panel" aria-label="Ask a model"><h2>Ask a model</h2><p class="dim">${why}</p>${user.value?.role === "operator" && html`<${Command} text='./dev ai ask "Is EURUSD calm?" --tenant TENANT' />`}</section>`;
}

function Question() {
  const names = useAsked("/ai/models", NAMES_S);
  const [model, setModel] = useState("");
  const [text, setText] = useState("");
  const [tokens, setTokens] = useState(TOKENS);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [answered, setAnswered] = useState(/** @type {Answered | null} */ (null));
  const going = useRef(false);
  /** @type {string[] | null} */
  const known = names.data?.data.map((/** @type {{id: string}} */ one) => one.id) ?? null;
  const chosen = model || (known?.includes("general") ? "general" : (known?.[0] ?? ""));

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    if (going.current) return; // each question is paid for
    going.current = true;
    setBusy(true);
    setProblem(null);
    setAnswered(null);
    const begun = performance.now();
    try {
      const body = { model: chosen, messages: [{ role: "user", content: text.trim() }], max_completion_tokens: Number(tokens) };
      setAnswered({ answer: await post("/ai/chat/completions", body), took_s: (performance.now() - begun) / 1000 });
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
    }
    setBusy(false);
    going.current = false;
  }

  return html`
    <section class="ticket panel" aria-label="Ask a model">
      <h2>Ask a model</h2>
      <${Trouble} asked=${names} />
      ${known === null
        ? names.problem === null && html`<${Rows} rows=${4} />`
        : html`
          <form onSubmit=${(/** @type {SubmitEvent} */ event) => void send(event)}>
            <label class="field"><span>Model or type of request</span><select value=${chosen} disabled=${busy} onChange=${(/** @type {any} */ event) => setModel(event.currentTarget.value)}>${known.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
            <label class="field"><span>Question</span><textarea rows="4" required maxlength="20000" placeholder="Is EURUSD calm?" value=${text} disabled=${busy} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}></textarea></label>
            <label class="field"><span>Most tokens of the answer</span><input type="number" min="1" max="100000" step="1" required value=${tokens} disabled=${busy} onInput=${(/** @type {any} */ event) => setTokens(event.currentTarget.value)} /></label>
            <p class="dim">${user.value?.tenant} pays for the answer.</p>
            <button type="submit" disabled=${busy || text.trim() === ""}>${busy ? "Asking" : "Ask"}</button>
          </form>`}
      ${problem && html`<p class="problem" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : "The question may be answered and paid all the same."}</p>`}
      ${answered && html`<${Answer} ...${answered} />`}
    </section>`;
}

/** @param {Answered} props */
function Answer({ answer, took_s }) {
  const { tradewind: ours, usage, choices } = answer;
  const text = choices[0]?.message.content;
  return html`
    <div class="outcome" role="status">
      <p class="said">${text || html`<span class="dim">The answer has no text.</span>`}</p>
      <dl class="codes">
        <div><dt>Model</dt><dd>${answer.model}${ours.source === "PROVIDER" ? "" : `, ${ours.source.toLowerCase()}`}</dd></div>
        <div><dt>Tokens</dt><dd>${count(usage.prompt_tokens)} in, ${count(usage.completion_tokens)} out${choices[0]?.finish_reason === "length" ? ", cut by the limit" : ""}</dd></div>
        <div><dt>Cost</dt><dd>${ours.cost} ${ours.currency}</dd></div>
        <div><dt>Attempts</dt><dd>${count(ours.attempts)}, within ${seconds(took_s)}</dd></div>
      </dl>
    </div>`;
}
