// @ts-check
// A search, step by step: each answer says where the next one goes on, so a person sees how far it is and can stop it.
import { signal } from "@preact/signals";
import { get } from "/assets/session.js";

export const PAGE = 50;
export const MOST_HITS = 1_000;
export const MOST_BYTES = 256 * 1024 * 1024;
const LIVE_EVERY_S = 1;

/** @typedef {{partition: number, offset: string, timestamp: number, key: string | null, bytes: number, deleted?: boolean, model?: string, event?: Record<string, any>, hex?: string, reason?: string}} Hit */
/** @typedef {{topic: string, key: string, tenant: string, where: string, since: string}} Wanted */
/** @typedef {{hits: Hit[], records: number, bytes: number, left: string, next: string | null, consume: string, state: "idle" | "searching" | "live" | "done" | "paused" | "cancelled" | "full", problem: Error | null}} Found */

/** @returns {Found} */
const nothing = () => ({ hits: [], records: 0, bytes: 0, left: "0", next: null, consume: "", state: "idle", problem: null });

/** @type {import("@preact/signals").Signal<Found>} */
export const found = signal(nothing());
let turn = 0; // a later search ends an earlier one
let timer = 0;

/** @param {Wanted} wanted @param {Record<string, string>} more */
function address(wanted, more) {
  const given = { ...wanted, since: wanted.since && new Date(wanted.since).toISOString(), limit: String(PAGE), ...more };
  return `/streams/messages?${new URLSearchParams(Object.entries(given).filter(([, value]) => value !== ""))}`;
}

/** Search for the newest page. @param {Wanted} wanted */
export function search(wanted) {
  stop();
  found.value = { ...nothing(), state: "searching" };
  void steps(wanted, PAGE);
}

/** Search for one page more. @param {Wanted} wanted */
export function more(wanted) {
  found.value = { ...found.value, state: "searching" };
  void steps(wanted, found.value.hits.length + PAGE);
}

/** Stop what runs; what was found stays. */
export function stop() {
  turn += 1;
  clearTimeout(timer);
  if (found.value.state === "searching") found.value = { ...found.value, state: "cancelled" };
  if (found.value.state === "live") found.value = { ...found.value, state: "paused" };
}

/** Forget what was found, as another page is opened. */
export function forget() {
  stop();
  found.value = nothing();
}

/** @param {Wanted} wanted @param {number} most */
async function steps(wanted, most) {
  const mine = ++turn;
  try {
    while (mine === turn) {
      const before = found.value;
      const answer = await get(address(wanted, before.next === null ? {} : { cursor: before.next }));
      if (mine !== turn) return;
      const hits = [...before.hits, ...answer.hits];
      const bytes = before.bytes + answer.searched.bytes;
      const full = hits.length >= MOST_HITS || bytes >= MOST_BYTES;
      const state = answer.next === null ? "done" : full ? "full" : hits.length >= most ? "paused" : "searching";
      found.value = { ...before, hits, bytes, records: before.records + answer.searched.records, left: answer.left, next: answer.next, consume: answer.consume, state, problem: null };
      if (state !== "searching") return;
    }
  } catch (error) {
    if (mine === turn) found.value = { ...found.value, state: "cancelled", problem: /** @type {Error} */ (error) };
  }
}

/** Show what comes from now on, newest first. @param {Wanted} wanted */
export async function live(wanted) {
  stop();
  const mine = ++turn;
  found.value = { ...nothing(), state: "live" };
  /** @type {string | null} */
  let head = null;
  async function step() {
    try {
      const answer = await get(address(wanted, head === null ? {} : { live: head }));
      if (mine !== turn) return;
      head = answer.head;
      const before = found.value;
      found.value = { ...before, hits: [...answer.hits, ...before.hits].slice(0, MOST_HITS), records: before.records + answer.searched.records, bytes: before.bytes + answer.searched.bytes, consume: `${answer.consume} --follow`, problem: null };
      timer = setTimeout(() => void step(), answer.left === "0" ? LIVE_EVERY_S * 1000 : 0);
    } catch (error) {
      if (mine !== turn) return;
      found.value = { ...found.value, problem: /** @type {Error} */ (error) };
      timer = setTimeout(() => void step(), LIVE_EVERY_S * 3000);
    }
  }
  await step();
}

/** What was found as lines of JSON, to keep in a file. @param {Hit[]} hits @param {string} topic */
export function exported(hits, topic) {
  const lines = hits.map((hit) => JSON.stringify({ at: `${topic}/${hit.partition}@${hit.offset}`, ...hit }));
  return new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/x-ndjson" });
}
