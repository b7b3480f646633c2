// @ts-check
// A command that was sent, until its answer is certain: also after a reload, it is asked for again under the same key.
import { post, Problem, user } from "/assets/session.js";

const PLACE = "tradewind.order";
const WAIT_S = 5; // for the decision of risk
const CERTAIN = new Set([400, 404, 409, 413, 422]); // the gateway has looked whether an earlier attempt was carried out
const REFUSED_AT_ONCE = new Set([401, 403, 429, 431]); // before it looked: certain for a first attempt alone

/** @typedef {{user: string, key: string, body: Record<string, any>}} Sent */

/** What the user of this tab has sent without a certain answer. @returns {Sent | null} */
export function unanswered() {
  try {
    const found = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    return found?.user === user.value?.name && typeof found?.key === "string" ? found : null;
  } catch {
    return null; // somebody else's text
  }
}

export function forget() {
  sessionStorage.removeItem(PLACE);
}

/** Send an order. Its key stays in this tab until the answer is certain.
 * @param {Sent} sent @param {boolean} again whether an earlier attempt had no certain answer
 * @returns {Promise<any>} */
export async function submit(sent, again) {
  sessionStorage.setItem(PLACE, JSON.stringify(sent));
  try {
    const answer = await post("/orders/create", sent.body, { "Idempotency-Key": sent.key, Prefer: `wait=${WAIT_S}` });
    forget();
    return answer;
  } catch (error) {
    if (isCertain(error, again)) forget();
    throw error;
  }
}

/** Whether nothing was changed, for certain. @param {unknown} error @param {boolean} again */
export function isCertain(error, again) {
  if (!(error instanceof Problem)) return false; // no answer came
  return CERTAIN.has(error.status) || (REFUSED_AT_ONCE.has(error.status) && !again);
}

/** @type {Map<string, string>} order -> the key of its cancel */
const keys = new Map();

/** Cancel an open order; a repeat is the same command. @param {string} orderId @returns {Promise<any>} */
export async function cancel(orderId) {
  const key = keys.get(orderId) ?? crypto.randomUUID();
  keys.set(orderId, key);
  return post("/executions/cancel", { order_id: orderId }, { "Idempotency-Key": key, Prefer: `wait=${WAIT_S}` });
}
