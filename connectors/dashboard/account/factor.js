// @ts-check
// Enrolling a second factor: the picture for the app, its first code, and the recovery codes, which are told once.
import { useEffect, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { fieldsOf, Refused, useWork } from "/assets/login.js";
import { post, refresh } from "/assets/session.js";

/** @typedef {{secret: string, uri: string, qr: string}} Enrolment */

/** @param {{done: () => void}} props */
export function Enrol({ done }) {
  const [made, setMade] = useState(/** @type {Enrolment | null} */ (null));
  const [codes, setCodes] = useState(/** @type {string[] | null} */ (null));
  const { busy, problem, run } = useWork();

  useEffect(() => void run(async () => setMade(await post("/auth/totp", {}))), []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    const field = fieldsOf(event);
    void run(async () => setCodes((await post("/auth/totp", { code: field("code") })).recovery_codes));
  }

  if (codes !== null) {
    return html`
      <div class="enrol">
        <p>Keep these recovery codes where you find them without your phone. Each signs you in once in place of a code, and they are shown only now.</p>
        <ul class="codes" aria-label="Recovery codes">${codes.map((one) => html`<li key=${one}><code>${one}</code></li>`)}</ul>
        <button type="submit" onClick=${() => void refresh().then(done)}>I have kept them</button>
      </div>`;
  }
  return html`
    <form class="enrol" onSubmit=${submitted}>
      <p>Scan the picture with an app for one-time codes, or type the key into it. Then give the code that the app shows.</p>
      ${made ? html`<img class="qr" src=${made.qr} alt="QR code with the key below" />` : html`<div class="qr skeleton"></div>`}
      <code class="key">${made ? (made.secret.match(/.{4}/g) ?? []).join(" ") : "–"}</code>
      <label for="code">Code</label>
      <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="12" required disabled=${busy} />
      <${Refused} problem=${problem} />
      <button type="submit" disabled=${busy || made === null}>Turn on</button>
    </form>`;
}

/** Over a network, nobody gets further without a second factor. */
export function MustEnrol() {
  return html`
    <main class="login">
      <div class="panel">
        <h1>Add a second factor</h1>
        <${Enrol} done=${() => {}} />
      </div>
    </main>`;
}
