// @ts-check
// Signing in by a one-time link.
import { useEffect, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { login, Problem } from "/assets/session.js";

/** The code of a link, or of a whole address that was pasted. @param {string} text */
export function codeOf(text) {
  return text.trim().split("#").at(-1) ?? "";
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

export function Login() {
  const [problem, setProblem] = useState(/** @type {Problem | Error | null} */ (null));
  const [busy, setBusy] = useState(false);

  /** @param {string} text */
  async function enter(text) {
    setBusy(true);
    setProblem(null);
    try {
      await login(codeOf(text));
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
      setBusy(false);
    }
  }

  useEffect(() => {
    function followed() {
      const code = codeOf(location.hash);
      if (!code) return;
      history.replaceState(null, "", "/login"); // it is good once, and must not stay in the history
      void enter(code);
    }
    followed();
    addEventListener("hashchange", followed); // a link that is pasted into a tab that shows this page
    return () => removeEventListener("hashchange", followed);
  }, []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    void enter(String(new FormData(form).get("link") ?? ""));
  }

  return html`
    <main class="login">
      <form class="panel" onSubmit=${submitted}>
        <h1><img src="/assets/icon.svg" alt="" width="28" height="28" /> Tradewind</h1>
        <p>Run <code>./dev users link</code> and open the link that it prints, or paste it here. Each is good once.</p>
        <label for="link">Link</label>
        <input id="link" name="link" autocomplete="off" spellcheck=${false} required disabled=${busy} />
        ${problem && html`<p class="problem" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
        <button type="submit" disabled=${busy}>${busy ? "Signing in" : "Sign in"}</button>
      </form>
    </main>
  `;
}
