// @ts-check
// Letters: records that agents and sinks could not take, in groups; and the way back for those that can go.
import { useEffect, useState } from "preact/hooks";
import { useAsked } from "/assets/asked.js";
import { ago, count, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { Aside, Command, Rows, sentence, Tile, Trouble } from "/assets/parts.js";
import { follow } from "/assets/router.js";
import { post, Problem } from "/assets/session.js";
import { Table } from "/assets/table.js";

const EVERY_S = 15; // each question reads all letters

/** @typedef {{agent: string, error: string, topic: string, attempt: number, reason: string, letters: number, waiting: number, redriven: number, oldest: string, newest: string, returns: boolean}} Group */
/** @typedef {{agent: string, would_send: number, left_out: {count: number, why: string}[], sent: number, sent_meanwhile?: number, gone?: number}} Answer */

export function LettersPage() {
  const asked = useAsked("/letters", EVERY_S);
  const [chosen, setChosen] = useState(/** @type {Group | null} */ (null));
  /** @type {Group[] | null} */
  const groups = asked.data?.groups ?? null;
  const now = asked.data?.as_of ?? 0;
  const unreadable = asked.data?.unreadable ?? 0;
  return html`
    <main class="list ${asked.late !== null && asked.problem !== null ? "old" : ""}">
      <h1 class="hidden">Dead letters</h1>
      <${Trouble} asked=${asked.problem === null ? { ...asked, late: null } : asked} />
      <${Sums} groups=${groups} />
      ${unreadable > 0 && html`<p class="problem panel" role="alert">${count(unreadable)} records on topics of letters are no letters: another program wrote them.</p>`}
      ${groups === null
        ? html`<${Rows} />`
        : html`<${Table} label="Dead letters" columns=${columns(now, setChosen)} rows=${groups} id=${idOf} first="waiting" descends=${true} chosen=${chosen && idOf(chosen)} empty=${html`<strong>No dead letter.</strong>Agents and sinks could take every record.`} />`}
      ${chosen && html`<${Back} group=${chosen} close=${() => setChosen(null)} done=${asked.again} />`}
    </main>`;
}

/** @param {Group} one */
function idOf(one) {
  return [one.agent, one.error, one.topic, one.attempt, one.reason].join("\n");
}

/** @param {{groups: Group[] | null}} props */
function Sums({ groups }) {
  const known = groups ?? [];
  const waiting = known.reduce((sum, one) => sum + one.waiting, 0);
  const agents = new Set(known.filter((one) => one.waiting > 0).map((one) => one.agent));
  return html`
    <dl class="tiles">
      <${Tile} name="Letters" value=${groups ? count(known.reduce((sum, one) => sum + one.letters, 0)) : "–"} />
      <${Tile} name="Wait" value=${groups ? count(waiting) : "–"} tone=${waiting > 0 ? "warn" : ""} note=${[...agents].join(", ")} />
      <${Tile} name="Sent back" value=${groups ? count(known.reduce((sum, one) => sum + one.redriven, 0)) : "–"} />
    </dl>`;
}

/** @param {number} now @param {(group: Group) => void} choose @returns {import("/assets/table.js").Column<Group>[]} */
function columns(now, choose) {
  return [
    { key: "agent", name: "Agent or sink", value: (one) => one.agent, cell: (one) => html`<button class="name" onClick=${() => choose(one)}>${one.agent}</button><span class="second">from ${one.topic}</span>` },
    { key: "error", name: "Error", value: (one) => one.error, cell: (one) => html`<span class="badge ${one.error === "POISON" ? "bad" : "warn"}" title=${one.error === "POISON" ? "An event that the agent could not process" : "Bytes that are no event of the topic"}>${one.error.toLowerCase()}</span>` },
    { key: "reason", name: "Reason", wide: true, value: (one) => one.reason, cell: (one) => html`<span class="reason">${one.reason}</span>` },
    { key: "attempt", name: "Attempt", numeric: true, value: (one) => one.attempt, cell: (one) => one.attempt },
    { key: "letters", name: "Letters", numeric: true, value: (one) => one.letters, cell: (one) => count(one.letters) },
    { key: "waiting", name: "Wait", numeric: true, value: (one) => one.waiting, cell: (one) => (one.waiting > 0 ? html`<strong>${count(one.waiting)}</strong>` : html`<span class="dim">0</span>`) },
    { key: "newest", name: "Newest record", numeric: true, title: "When the last of the records came in", value: (one) => one.newest, cell: (one) => html`<span title=${utc(Date.parse(one.newest) / 1000)}>${ago(now - Date.parse(one.newest) / 1000)}</span>` },
  ];
}

/** What would be sent back, and a place to type the agent's name. @param {{group: Group, close: () => void, done: () => void}} props */
function Back({ group, close, done }) {
  const [wide, setWide] = useState(false);
  const [again, setAgain] = useState(false);
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const wanted = { agent: group.agent, again, ...(wide ? {} : { error: group.error }) };

  useEffect(() => {
    let ended = false;
    setAnswer(null);
    setProblem(null);
    if (!group.returns) return;
    post("/letters/redrive", wanted).then((found) => ended || setAnswer(found), (error) => ended || setProblem(error));
    return () => {
      ended = true;
    };
  }, [group, wide, again]);

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    setBusy(true);
    try {
      setAnswer(await post("/letters/redrive", { ...wanted, confirm: typed }));
      setTyped("");
      done();
    } catch (error) {
      setProblem(/** @type {Error} */ (error));
    }
    setBusy(false);
  }

  return html`
    <${Aside} name=${group.agent} close=${close}>
      <p>${group.reason}</p>
      <p class="facts"><span>${count(group.letters)} letters</span><span>from ${group.topic}</span><span>attempt ${group.attempt}</span></p>
      <p><a href=${`/messages?${new URLSearchParams({ topic: `${group.agent}.dlq`, where: `error = ${group.error}` })}`} onClick=${follow}>Show these letters</a></p>
      <${Command} text=${`./dev dlq show ${group.agent} --error ${group.error}`} />
      ${!group.returns
        ? html`<section><h3>Send back</h3><p>A sink's letters cannot be sent back. Mend the cause, and write the rows by hand: docs/dead-letters.md says how.</p></section>`
        : html`
          <section>
            <h3>Send back to ${group.agent}</h3>
            <label class="check"><input type="checkbox" checked=${wide} onChange=${() => setWide(!wide)} /> letters of every error, not only ${group.error.toLowerCase()}</label>
            <label class="check"><input type="checkbox" checked=${again} onChange=${() => setAgain(!again)} /> those that were sent before, too</label>
            ${problem && html`<p class="problem" role="alert">${sentence(problem.message)} ${problem instanceof Problem ? sentence(problem.remedy) : ""}</p>`}
            ${answer === null && problem === null && html`<p role="status">Counting</p>`}
            ${answer && answer.sent > 0 && html`<p class="done" role="status"><strong>${count(answer.sent)} letters were sent.</strong> The agent takes each as the record that it was. A letter that fails again comes back.</p>`}
            ${answer && answer.sent === 0 && html`<p role="status"><strong>${count(answer.would_send)} letters</strong> would be sent, each once.</p>`}
            ${answer?.left_out.map((one) => html`<p key=${one.why}>${count(one.count)} ${one.why}.</p>`)}
            ${answer && answer.sent === 0 && answer.would_send > 0 && html`
              <form class="confirm" onSubmit=${(/** @type {SubmitEvent} */ event) => void send(event)}>
                <label><span>Type <code>${group.agent}</code> to send</span><input value=${typed} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => setTyped(event.currentTarget.value)} /></label>
                <button type="submit" disabled=${busy || typed !== group.agent}>${busy ? "Sending" : `Send ${count(answer.would_send)}`}</button>
              </form>`}
          </section>`}
    </${Aside}>`;
}
