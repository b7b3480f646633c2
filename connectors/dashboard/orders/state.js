// @ts-check
// The state of an order as a badge.
import { html } from "/assets/html.js";
import { STATES } from "/assets/orders/words.js";

/** @param {{state: string}} props */
export function OrderState({ state }) {
  const { tone, means } = STATES[state] ?? { tone: "unknown", means: "" };
  return html`<span class="badge ${tone}" title=${means}>${state.toLowerCase()}</span>`;
}
