// @ts-check
// The own login: password, second factor, and where one is signed in. Owners and operators see others' sessions.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { Enrol } from "/assets/account/factor.js";
import { ago, day, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { fieldsOf, Refused, useWork } from "/assets/login.js";
import { Rows, Trouble } from "/assets/parts.js";
import { post, refresh, remove, user } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 5;

/** @typedef {{session_id: string, user_name: string, role: string, tenant_id: string | null, created_at: string, seen_at: string, address: string, agent: string, remote: boolean, own: boolean}} Session */

export function AccountPage() {
  const [all, setAll] = useState(false);
  const asked = useAsked(`/auth/sessions${all ? "?all=true" : ""}`, EVERY_S);
  /** @type {Session[] | null} */
  const rows = asked.data?.sessions ?? null;
  const seesAll = ["operator", "owner"].includes(user.value?.role ?? "");
  const ending = useWork();
  /** @param {Session} one */
  const end = (one) =>
    ending.run(async () => {
      await remove(`/auth/sessions/${one.session_id}`);
      asked.again();
    });
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Account</h1>
      <${Trouble} asked=${asked} />
      <div class="cards">
        <${Password} />
        <${Factor} left=${asked.data?.recovery_codes ?? null} />
      </div>
      <div class="tools"><h2>Sessions</h2>
        ${seesAll && html`<div class="chips" role="group" aria-label="Whose sessions"><button aria-pressed=${!all} onClick=${() => setAll(false)}>Yours</button><button aria-pressed=${all} onClick=${() => setAll(true)}>${user.value?.tenant === null ? "Everybody's" : "Your tenant's"}</button></div>`}
      </div>
      <${Refused} problem=${ending.problem} />
      ${rows === null
        ? html`<${Rows} rows=${3} />`
        : html`<${Table} label="Sessions" columns=${columns(all, end, ending.busy)} rows=${rows} id=${(/** @type {Session} */ one) => one.session_id} first="seen" descends=${true} empty=${html`<strong>No session.</strong>`} />`}
    </main>`;
}

/** @param {boolean} all @param {(one: Session) => Promise<void>} end @param {boolean} busy @returns {import("/assets/table.js").Column<Session>[]} */
function columns(all, end, busy) {
  /** @type {import("/assets/table.js").Column<Session>[]} */
  const found = [
    { key: "agent", name: "Where", value: (one) => one.agent, cell: (one) => html`<strong>${programOf(one.agent)}</strong><span class="second">${one.address}${one.remote ? ", over a network" : ""}</span>` },
    { key: "begun", name: "Since", numeric: true, wide: true, value: (one) => one.created_at, cell: (one) => html`<span title=${utc(Date.parse(one.created_at) / 1000)}>${day(Date.parse(one.created_at) / 1000)}</span>` },
    { key: "seen", name: "Last seen", numeric: true, wide: true, value: (one) => one.seen_at, cell: (one) => (one.own ? html`<span class="badge ok">this one</span>` : html`<span title=${utc(Date.parse(one.seen_at) / 1000)}>${ago((Date.now() - Date.parse(one.seen_at)) / 1000)}</span>`) },
    { key: "end", name: "Action", numeric: true, wide: true, value: () => null, cell: (one) => (one.own ? html`<span class="dim">sign out to end it</span>` : html`<button class="plain" disabled=${busy} aria-label=${`End the session of ${one.user_name}, ${programOf(one.agent)}`} onClick=${() => void end(one)}>End</button>`) },
  ];
  if (!all) return found;
  return [{ key: "user", name: "User", value: (one) => one.user_name, cell: (one) => html`<strong>${one.user_name}</strong><span class="second">${one.role}${one.tenant_id ? ` of ${one.tenant_id}` : ""}</span>` }, ...found];
}

/** The program that a browser's long name means. @param {string} agent */
function programOf(agent) {
  const browser = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([part]) => agent.includes(part ?? ""));
  const system = ["Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux"].find((part) => agent.includes(part));
  if (browser) return system ? `${browser[1]} on ${system}` : (browser[1] ?? "");
  return agent === "" ? "an unknown program" : agent.slice(0, 40);
}

function Password() {
  const has = user.value?.hasPassword ?? false;
  const [turn, setTurn] = useState(0);
  const [done, setDone] = useState(false);
  const { busy, problem, run } = useWork();
  /** @param {SubmitEvent} event */
  function submitted(event) {
    const field = fieldsOf(event);
    setDone(false);
    void run(async () => {
      await post("/auth/password", { new: field("new"), ...(has ? { old: field("old") } : {}) });
      await refresh();
      setDone(true);
      setTurn(turn + 1);
    });
  }
  return html`
    <form class="panel card" key=${turn} onSubmit=${submitted}>
      <h2>Password</h2>
      <p class="dim">${has ? "A change ends your other sessions." : "With your name and a password you sign in without a link."}</p>
      ${has && html`<label for="old">Password until now</label><input id="old" name="old" type="password" autocomplete="current-password" maxlength="256" required disabled=${busy} />`}
      <label for="new">New password</label>
      <input id="new" name="new" type="password" autocomplete="new-password" minlength="12" maxlength="256" required disabled=${busy} />
      <${Refused} problem=${problem} />
      ${done && html`<p class="done" role="status">Your password is set.</p>`}
      <button type="submit" disabled=${busy}>${has ? "Change the password" : "Set the password"}</button>
    </form>`;
}

/** @param {{left: number | null}} props */
function Factor({ left }) {
  const has = user.value?.hasSecondFactor ?? false;
  const [enrolling, setEnrolling] = useState(false);
  const { busy, problem, run } = useWork();
  /** @param {SubmitEvent} event */
  function submitted(event) {
    const field = fieldsOf(event);
    void run(async () => {
      await post("/auth/totp", { remove: true, code: field("code") });
      await refresh();
    });
  }
  if (enrolling) return html`<div class="panel card"><h2>Second factor</h2><${Enrol} done=${() => setEnrolling(false)} /></div>`;
  if (!has) {
    return html`
      <div class="panel card"><h2>Second factor</h2>
        <p class="dim">A code of an app on your phone, in addition to the password. Over a network, nobody gets in without one.</p>
        <button type="submit" onClick=${() => setEnrolling(true)}>Add a second factor</button>
      </div>`;
  }
  return html`
    <form class="panel card" onSubmit=${submitted}>
      <h2>Second factor <span class="badge ok">on</span></h2>
      <p class="dim">${left === null ? "" : `${left} of 10 recovery codes are left. `}To change the app, or for new recovery codes, remove it and add it again.</p>
      <label for="code">Code, or a recovery code</label>
      <input id="code" name="code" autocomplete="one-time-code" maxlength="40" required disabled=${busy} />
      <${Refused} problem=${problem} />
      <button type="submit" class="danger" disabled=${busy}>Remove</button>
    </form>`;
}
