// @ts-check
// Says to all who see an alert that somebody looks into it, with a note.
import { useRef, useState } from "preact/hooks";
import { html } from "/assets/html.js";
import { post } from "/assets/session.js";

const NOTE_CHARACTERS = 500;

/** @param {{id: string, code: string, done: () => void}} props */
export function LookInto({ id, code, done }) {
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const last = useRef({ told: "", key: "" });

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    const told = note.trim();
    if (last.current.key === "" || last.current.told !== told) last.current = { told, key: crypto.randomUUID() };
    setBusy(true);
    try {
      await post(`/alerts/${encodeURIComponent(id)}/acknowledge`, { note: told }, { "Idempotency-Key": last.current.key });
      setProblem(null);
      setOpen(false);
      setNote("");
      last.current = { told: "", key: "" };
      done();
    } catch (error) {
      setProblem(/** @type {Error} */ (error)); // the key stays: the same form asks again for the same command
    }
    setBusy(false);
  }

  if (!open) return html`<p class="facts"><button onClick=${() => setOpen(true)} aria-label=${`I look into ${code}`}>I look into it</button></p>`;
  return html`
    <form onSubmit=${send}>
      <input aria-label="Note" placeholder="Note, such as what is done" maxlength=${NOTE_CHARACTERS} value=${note} autofocus onInput=${(/** @type {any} */ event) => setNote(event.currentTarget.value)} />
      <button type="submit" disabled=${busy}>Say so</button>
      <button type="button" onClick=${() => setOpen(false)}>Not now</button>
      ${problem && html`<span role="alert" class="bad">${problem.message}</span>`}
    </form>`;
}
