// @ts-check
// A new user: name, role and tenant; the link for the first login is shown once.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { Refused } from "/assets/login.js";
import { Aside, Command } from "/assets/parts.js";
import { post, Problem, user } from "/assets/session.js";

/** Roles of a tenant's users. */
export const ROLES = ["owner", "trader", "analyst", "viewer", "auditor"];
/** @type {Record<string, string>} */
const MAY = {
  operator: "runs the platform and sees all tenants",
  owner: "trades, and manages the users of the tenant",
  trader: "trades, and may stop trading",
  analyst: "reads, and asks models",
  viewer: "reads",
  auditor: "reads, and sees who changed what",
};

/** @param {{close: () => void, changed: () => void}} props */
export function NewUser({ close, changed }) {
  const own = user.value?.tenant ?? null;
  const [name, setName] = useState("");
  const [role, setRole] = useState("trader");
  const [tenant, setTenant] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [made, setMade] = useState(/** @type {{name: string, link: string} | null} */ (null));
  const last = useRef({ told: "", key: "" });
  const root = useRef(/** @type {HTMLFormElement | null} */ (null));
  const wrong = problem instanceof Problem ? problem.pointer.replace("#/", "") : "";

  useEffect(() => {
    if (["name", "role", "tenant"].includes(wrong)) /** @type {HTMLElement | null} */ (root.current?.querySelector(`[name="${wrong}"]`))?.focus();
  }, [problem]);

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    if (busy) return;
    const body = { name: name.trim(), role, ...(own === null && role !== "operator" ? { tenant: tenant.trim() } : {}) };
    const told = JSON.stringify(body);
    if (last.current.told !== told) last.current = { told, key: crypto.randomUUID() };
    setBusy(true);
    try {
      const answer = await post("/users", body, { "Idempotency-Key": last.current.key });
      setMade({ name: body.name, link: `${location.origin}/login#${answer.link}` });
      setProblem(null);
      setName("");
      last.current = { told: "", key: "" };
      changed();
    } catch (error) {
      setProblem(/** @type {Error} */ (error)); // the key stays: the same form creates the same user
    }
    setBusy(false);
  }

  /** @param {string} field */
  const flawed = (field) => (wrong === field ? { "aria-invalid": "true", "aria-describedby": "new-user-problem" } : {});

  return html`
    <${Aside} name="New user" close=${close}>
      ${made && html`<section><p role="status">${made.name} signs in by this link, once, within an hour:</p><${Command} text=${made.link} /></section>`}
      <form ref=${root} class="confirm" onSubmit=${(/** @type {SubmitEvent} */ event) => void send(event)}>
        <label><span>Name</span><input name="name" value=${name} required autocomplete="off" autocapitalize="none" spellcheck=${false} maxlength="256" onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} ...${flawed("name")} /></label>
        <label class="choice"><span>Role</span><select name="role" value=${role} onChange=${(/** @type {any} */ event) => setRole(event.currentTarget.value)} ...${flawed("role")}>${[...(own === null ? ["operator"] : []), ...ROLES].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
        <p>The ${role} ${MAY[role]}.</p>
        ${own === null && role !== "operator" && html`<label><span>Tenant</span><input name="tenant" value=${tenant} required autocomplete="off" spellcheck=${false} maxlength="256" onInput=${(/** @type {any} */ event) => setTenant(event.currentTarget.value)} ...${flawed("tenant")} /></label>`}
        <div id="new-user-problem"><${Refused} problem=${problem} /></div>
        <button type="submit" disabled=${busy || name.trim() === ""}>${busy ? "Creating" : "Create the user"}</button>
      </form>
      <section><h3>In a terminal</h3><${Command} text=${`./dev users add ${name.trim() || "NAME"} --role ${role}${role === "operator" ? "" : ` --tenant ${own ?? (tenant.trim() || "TENANT")}`}`} /></section>
    </${Aside}>`;
}
