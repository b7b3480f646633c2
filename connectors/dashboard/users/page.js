// @ts-check
// Users: who may sign in, and how; owners and operators change roles, reset and disable.
import { useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, day, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Refused, useWork } from "/assets/login.js";
import { NewUser, ROLES } from "/assets/users/new.js";
import { Aside, Command, Rows, Trouble } from "/assets/parts.js";
import { post, user } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 5;

/** @typedef {{user_id: string, name: string, role: string, tenant_id: string | null, created_at: string, disabled: boolean, has_password: boolean, has_second_factor: boolean, sessions: number, seen_at: string | null}} One */

export function UsersPage() {
  const asked = useAsked("/users", EVERY_S);
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const [found, setFound] = useState("");
  const [creating, setCreating] = useState(false);
  /** @type {One[] | null} */
  const all = asked.data?.users ?? null;
  const rows = all?.filter((one) => `${one.name} ${one.tenant_id ?? ""} ${one.role}`.toLowerCase().includes(found.trim().toLowerCase())) ?? null;
  const full = all?.find((one) => one.user_id === chosen) ?? null;
  return html`
    <main class="list ${asked.late !== null ? "old" : ""}">
      <h1 class="hidden">Users</h1>
      <${Trouble} asked=${asked} />
      <div class="tools"><input type="search" aria-label="Find a user" placeholder="Find a user" value=${found} onInput=${(/** @type {any} */ event) => setFound(event.currentTarget.value)} /><span class="fill"></span><button class="plain" aria-expanded=${creating} onClick=${() => {
        setChosen(null);
        setCreating(!creating);
      }}>New user</button></div>
      ${rows === null
        ? html`<${Rows} />`
        : html`<${Table} label="Users" columns=${columns((id) => {
          setCreating(false);
          setChosen(id);
        })} rows=${rows} id=${(/** @type {One} */ one) => one.user_id} first="name" chosen=${chosen} empty=${html`<strong>No such user.</strong>New user makes one.`} />`}
      <${Command} text=${`./dev users add NAME --role trader --tenant ${user.value?.tenant ?? "TENANT"}`} />
      ${creating && html`<${NewUser} close=${() => setCreating(false)} changed=${asked.again} />`}
      ${full && html`<${Full} key=${full.user_id} one=${full} close=${() => setChosen(null)} changed=${asked.again} />`}
    </main>`;
}

/** @param {One} one */
function stateOf(one) {
  return one.disabled ? html`<span class="badge bad">disabled</span>` : html`<span class="badge ok">may sign in</span>`;
}

/** @param {string | null} at */
function seen(at) {
  if (at === null) return html`<span class="dim">never</span>`;
  return html`<span title=${utc(Date.parse(at) / 1000)}>${ago((Date.now() - Date.parse(at)) / 1000)}</span>`;
}

/** @param {(id: string) => void} choose @returns {import("/assets/table.js").Column<One>[]} */
function columns(choose) {
  /** @type {import("/assets/table.js").Column<One>[]} */
  const found = [
    { key: "name", name: "User", value: (one) => one.name, cell: (one) => html`<button class="name" onClick=${() => choose(one.user_id)}>${one.name}</button>` },
    { key: "state", name: "State", value: (one) => Number(one.disabled), cell: stateOf },
    { key: "role", name: "Role", value: (one) => one.role, cell: (one) => one.role },
    { key: "how", name: "Signs in by", wide: true, value: (one) => Number(one.has_password) + Number(one.has_second_factor), cell: (one) => howOf(one) },
    { key: "sessions", name: "Sessions", numeric: true, value: (one) => one.sessions, cell: (one) => one.sessions },
    { key: "seen", name: "Last seen", numeric: true, value: (one) => one.seen_at, cell: (one) => seen(one.seen_at) },
  ];
  if (user.value?.tenant !== null) return found;
  return [...found.slice(0, 3), { key: "tenant", name: "Tenant", value: (one) => one.tenant_id, cell: (one) => one.tenant_id ?? html`<span class="dim">all</span>` }, ...found.slice(3)];
}

/** @param {One} one */
function howOf(one) {
  const first = one.has_password ? "password" : "link";
  return one.has_second_factor ? `${first}, second factor` : first;
}

/** @param {{one: One, close: () => void, changed: () => void}} props */
function Full({ one, close, changed }) {
  const [role, setRole] = useState(one.role);
  const [link, setLink] = useState("");
  const [sure, setSure] = useState("");
  const { busy, problem, run } = useWork();
  const own = one.name === user.value?.name;
  const path = `/users/${encodeURIComponent(one.name)}`;

  /** @param {() => Promise<void>} work */
  const change = (work) =>
    run(async () => {
      await work();
      setSure("");
      changed();
    });
  const give = () => change(async () => void (await post(`${path}/role`, { role })));
  const disable = () => change(async () => void (await post(`${path}/disable`, {})));
  const reset = () => change(async () => setLink(`${location.origin}/login#${(await post(`${path}/reset`, {})).link}`));

  return html`
    <${Aside} name=${one.name} badge=${stateOf(one)} close=${close}>
      <p class="facts"><span>${one.role}${one.tenant_id ? ` of ${one.tenant_id}` : ""}</span><span>signs in by ${howOf(one)}</span><span>since ${day(Date.parse(one.created_at) / 1000)}</span></p>
      <${Refused} problem=${problem} />
      ${own && html`<p class="note-line">Another owner or operator changes your role, or resets your login.</p>`}
      ${!own && one.tenant_id !== null && html`
        <section><h3>Role</h3>
          <div class="choice"><select aria-label="Role" value=${role} disabled=${busy} onChange=${(/** @type {any} */ event) => setRole(event.currentTarget.value)}>${ROLES.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
          <button class="plain" disabled=${busy || role === one.role} onClick=${() => void give()}>Change the role</button></div>
          <p class="dim">It holds within 10 minutes.</p>
        </section>`}
      ${!own && html`
        <section><h3>Login</h3>
          ${link
            ? html`<p role="status">${one.name} begins anew by this link, once, within an hour:</p><${Command} text=${link} />`
            : html`<p>A reset takes the password and the second factor, ends all sessions, and makes a link. It also lets a disabled user in again.</p>
                <${Sure} word="Reset" sure=${sure} set=${setSure} busy=${busy} act=${reset} />`}
        </section>
        ${!one.disabled && html`<section><h3>Disable</h3><p>All sessions and keys end within a second, and nobody signs in as ${one.name}.</p><${Sure} word="Disable" danger=${true} sure=${sure} set=${setSure} busy=${busy} act=${disable} /></section>`}`}
    </${Aside}>`;
}

/** A button that asks once more. @param {{word: string, danger?: boolean, sure: string, set: (word: string) => void, busy: boolean, act: () => Promise<void>}} props */
function Sure({ word, danger = false, sure, set, busy, act }) {
  if (sure !== word) return html`<button class="plain" disabled=${busy} onClick=${() => set(word)}>${word}</button>`;
  return html`<div class="choice"><button type="submit" class=${danger ? "danger" : ""} disabled=${busy} onClick=${() => void act()}>Yes, ${word.toLowerCase()}</button><button class="plain" disabled=${busy} onClick=${() => set("")}>No</button></div>`;
}
