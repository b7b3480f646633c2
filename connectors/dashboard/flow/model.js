// @ts-check
// The picture and the last look at what flows, joined for drawing. Pure.
import { STATES, WORST, worst } from "/assets/flow/words.js";

/** @typedef {{topic: string, y: number}} Port */
/** @typedef {{id: string, name: string, kind: "source" | "agent" | "sink", lane: string, x: number, y: number, height: number, inputs: Port[], outputs: Port[]}} Card */
/** @typedef {{topic: string, source: string, target: string, path: string}} Wire */
/** @typedef {{width: number, height: number, card_width: number, lanes: {name: string, y: number, height: number}[], cards: Card[], wires: Wire[]}} Picture */
/** @typedef {{lag: string, lag_s: number | null, state: string, since: number, catch_up_s: number | null, partitions: {partition: number, lag: string, lag_s: number | null, state: string}[]}} Reader */
/** @typedef {{as_of: number, topics: Record<string, {records: string, rate_per_s: number}>, readers: Record<string, Record<string, Reader>>}} Now */

/** @type {Reader} */
const UNKNOWN = { lag: "0", lag_s: null, state: "UNKNOWN", since: 0, catch_up_s: null, partitions: [] };

/** What a reader does with a topic; UNKNOWN where nobody says. @param {Now | null} now @param {string} name @param {string} topic @returns {Reader} */
export function reader(now, name, topic) {
  return now?.readers[name]?.[topic] ?? UNKNOWN;
}

/** The state of a card over all its inputs; a source has none. @param {Now | null} now @param {Card} card */
export function stateOf(now, card) {
  return card.kind === "source" ? null : worst(card.inputs.map((port) => reader(now, card.name, port.topic).state));
}

/** A topic without its domain, where the card's name says it. @param {string} topic */
export function shortName(topic) {
  return topic.slice(topic.indexOf(".") + 1);
}

/** Every reader of every topic, the worst first. @param {Picture} picture @param {Now | null} now */
export function readers(picture, now) {
  const found = picture.cards.flatMap((card) =>
    card.inputs.map((port) => ({ card, topic: port.topic, ...reader(now, card.name, port.topic) })),
  );
  return found.sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state) || (b.lag_s ?? 0) - (a.lag_s ?? 0));
}

/** Those that a person should look at. @param {ReturnType<typeof readers>} found */
export function troubled(found) {
  return found.filter((one) => ["bad", "warn", "hold"].includes(STATES[one.state]?.tone ?? "bad"));
}

/** Whether a wire belongs to what a person points at. @param {Wire} wire @param {{card?: string, topic?: string} | null} focus */
export function lit(wire, focus) {
  if (focus === null) return false;
  if (focus.topic !== undefined) return wire.topic === focus.topic && (focus.card === undefined || wire.source === focus.card || wire.target === focus.card);
  return wire.source === focus.card || wire.target === focus.card;
}
