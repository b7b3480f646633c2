// @ts-check
// Signing in: by name and password, or by a one-time link, after which a person chooses a password.
import { useEffect, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { sentence } from "/assets/parts.js";
import { choosing, login, post, Problem, refresh } from "/assets/session.js";

/** @typedef {{link: string} | {name: string, password: string}} Shown */

/** The code of a link, or of a whole address that was pasted. @param {string} text */
export function codeOf(text) {
  return text.trim().split("#").at(-1) ?? "";
}

/** Why something was refused, and what to do. @param {{problem: Error | null}} props */
export function Refused({ problem }) {
  if (problem === null) return null;
  return html`<p class="problem" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`;
}

/** Work that a form waits for: whether it goes on, and why it was refused.
 * @returns {{busy: boolean, problem: Error | null, run: (work: () => Promise<void>) => Promise<void>}} */
export function useWork() {
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [busy, setBusy] = useState(false);
  /** @param {() => Promise<void>} work */
  async function run(work) {
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
    }
    setBusy(false);
  }
  return { busy, problem, run };
}

/** What a form's fields hold. @param {SubmitEvent} event @returns {(name: string) => string} */
export function fieldsOf(event) {
  event.preventDefault();
  const data = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  return (name) => String(data.get(name) ?? "");
}

export function Login() {
  const [byLink, setByLink] = useState(location.hash.length > 1);
  const [shown, setShown] = useState(/** @type {Shown | null} */ (null)); // what was right, and wants a code
  const { busy, problem, run } = useWork();

  /** @param {Shown} first @param {string} [code] */
  const show = (first, code) =>
    run(async () => {
      try {
        await login(code === undefined ? first : { ...first, code });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "CODE_WANTED") throw error;
        setShown(first);
      }
    });
  /** @param {string} link */
  const enter = (link) => show({ link });

  useEffect(() => {
    function followed() {
      const code = codeOf(location.hash);
      if (!code) return;
      history.replaceState(null, "", "/login"); // it is good once, and must not stay in the history
      setByLink(true);
      void enter(code);
    }
    followed();
    addEventListener("hashchange", followed); // a link that is pasted into a tab that shows this page
    return () => removeEventListener("hashchange", followed);
  }, []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    const field = fieldsOf(event);
    if (shown !== null) void show(shown, field("code"));
    else void (byLink ? enter(codeOf(field("link"))) : show({ name: field("name").trim(), password: field("password") }));
  }

  if (shown !== null) {
    return html`
      <main class="login">
        <form class="panel" onSubmit=${submitted}>
          <h1><img src="/assets/icon.svg" alt="" width="28" height="28" /> Tradewind</h1>
          <p>Give the code that your app shows. Without your phone, give a recovery code.</p>
          <label for="code">Code</label>
          <input id="code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck=${false} maxlength="40" required disabled=${busy} ref=${(/** @type {HTMLInputElement | null} */ field) => field?.focus()} />
          <${Refused} problem=${problem} />
          <button type="submit" disabled=${busy}>${busy ? "Signing in" : "Sign in"}</button>
          <button type="button" class="link" disabled=${busy} onClick=${() => setShown(null)}>Sign in as somebody else</button>
        </form>
      </main>`;
  }

  return html`
    <main class="login">
      <form class="panel" onSubmit=${submitted}>
        <h1><img src="/assets/icon.svg" alt="" width="28" height="28" /> Tradewind</h1>
        ${byLink
          ? html`<p>Run <code>./dev users link</code> and open the link that it prints, or paste it here. Each is good once.</p>
              <label for="link">Link</label>
              <input key="link" id="link" name="link" autocomplete="off" spellcheck=${false} required disabled=${busy} />`
          : html`<label for="name">Name</label>
              <input key="name" id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck=${false} maxlength="256" required disabled=${busy} />
              <label for="password">Password</label>
              <input key="password" id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required disabled=${busy} />`}
        <${Refused} problem=${problem} />
        <button type="submit" disabled=${busy}>${busy ? "Signing in" : "Sign in"}</button>
        <button type="button" class="link" disabled=${busy} onClick=${() => setByLink(!byLink)}>${byLink ? "Sign in by name and password" : "Sign in by a link"}</button>
      </form>
    </main>
  `;
}

/** The first password, after the first link. */
export function ChoosePassword() {
  const { busy, problem, run } = useWork();

  /** @param {SubmitEvent} event */
  function submitted(event) {
    const field = fieldsOf(event);
    void run(async () => {
      await post("/auth/password", { new: field("new") });
      await refresh();
      choosing.value = false;
    });
  }

  return html`
    <main class="login">
      <form class="panel" onSubmit=${submitted}>
        <h1>Choose a password</h1>
        <p>With your name and this password you sign in from now on. It has at least 12 characters; some words in a row are good.</p>
        <label for="new">Password</label>
        <input id="new" name="new" type="password" autocomplete="new-password" minlength="12" maxlength="256" required disabled=${busy} />
        <${Refused} problem=${problem} />
        <button type="submit" disabled=${busy}>${busy ? "Setting it" : "Set the password"}</button>
        <button type="button" class="link" disabled=${busy} onClick=${() => (choosing.value = false)}>Not now</button>
      </form>
    </main>
  `;
}
