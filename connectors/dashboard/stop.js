// @ts-check
// The emergency stop: denies new orders of a tenant or account and cancels its open ones, or allows trading again.
import { useRef, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { Aside, Command, sentence } from "/assets/parts.js";
import { post, Problem, user } from "/assets/session.js";

const ROLES = ["operator", "owner", "trader"];
const EVERYONE = "*";

/** @param {string | undefined} role */
export function mayStop(role) {
  return ROLES.includes(role ?? "");
}

/** The text that a person types to confirm. @param {string} tenant @param {string} account */
function nameOf(tenant, account) {
  if (tenant === EVERYONE) return "every tenant";
  return account === "" ? tenant : `${tenant}/${account}`;
}

/** @param {{close: () => void}} props */
export function StopTrading({ close }) {
  const own = user.value?.tenant ?? null;
  const [lift, setLift] = useState(false);
  const [named, setNamed] = useState("");
  const [account, setAccount] = useState("");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [done, setDone] = useState("");
  const last = useRef({ told: "", key: "" });
  const tenant = own ?? named.trim();
  const whose = nameOf(tenant, account.trim());

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    const body = { reason: reason.trim(), lift, ...(own === null ? { tenant } : {}), ...(account.trim() === "" ? {} : { account: account.trim() }) };
    const told = JSON.stringify(body);
    if (last.current.told !== told) last.current = { told, key: crypto.randomUUID() };
    setBusy(true);
    setDone("");
    try {
      await post("/system/emergency-stop", body, { "Idempotency-Key": last.current.key });
      setProblem(null);
      setDone(lift ? `${whose} may trade again.` : `${whose} is stopped. Every request is denied, every open order is cancelled.`);
      setTyped("");
      last.current = { told: "", key: "" };
    } catch (error) {
      setProblem(/** @type {Error} */ (error)); // the key stays: the same form asks again for the same command
    }
    setBusy(false);
  }

  /** @param {any} label @param {string} value @param {(value: string) => void} set @param {{required?: boolean, placeholder?: string, maxlength?: number}} more */
  const field = (label, value, set, more = {}) => html`<label><span>${label}</span><input value=${value} autocomplete="off" spellcheck=${false} maxlength=${256} onInput=${(/** @type {any} */ event) => set(event.currentTarget.value)} ...${more} /></label>`;

  return html`
    <${Aside} name="Emergency stop" close=${close}>
      <p>A stop denies new orders and cancels open ones. Fills and positions stay.</p>
      <form class="confirm" onSubmit=${(/** @type {SubmitEvent} */ event) => void send(event)}>
        <div class="chips" role="group" aria-label="What to do">
          <button type="button" aria-pressed=${!lift} onClick=${() => setLift(false)}>Stop</button>
          <button type="button" aria-pressed=${lift} onClick=${() => setLift(true)}>Allow again</button>
        </div>
        ${own === null && field("Tenant, or * for every tenant", named, setNamed, { required: true })}
        ${tenant !== EVERYONE && field("Account", account, setAccount, { placeholder: "all accounts" })}
        ${field("Reason", reason, setReason, { required: true, placeholder: "what denials and cancels say", maxlength: 500 })}
        ${whose !== "" && field(html`Type <code>${whose}</code> to confirm`, typed, setTyped)}
        ${problem && html`<p class="problem" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
        ${done !== "" && html`<p class="done" role="status"><strong>${done}</strong></p>`}
        <button type="submit" class=${lift ? "" : "danger"} disabled=${busy || whose === "" || typed !== whose || reason.trim() === ""}>${busy ? "Sending" : lift ? "Allow trading" : "Stop trading"}</button>
      </form>
      ${whose !== "" && tenant !== EVERYONE && html`<section><h3>In a terminal</h3><${Command} text=${`./dev halt ${tenant}${account.trim() === "" ? "" : ` --account ${account.trim()}`}${lift ? " --lift" : ""}`} /></section>`}
    </${Aside}>`;
}
