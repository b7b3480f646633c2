// @ts-check
// States of orders and codes of denials in words, and what to do about each.

/** @type {Record<string, {tone: string, means: string}>} state -> its tone and its meaning */
export const STATES = {
  REQUESTED: { tone: "busy", means: "Risk has not decided yet." },
  APPROVED: { tone: "busy", means: "Risk has approved the order. The venue has not taken it yet." },
  ACCEPTED: { tone: "ok", means: "The venue has taken the order, which waits for its price." },
  FILLED: { tone: "ok", means: "The whole order was filled." },
  DENIED: { tone: "bad", means: "Risk has denied the order." },
  REJECTED: { tone: "bad", means: "The venue has refused the order." },
  EXPIRED: { tone: "idle", means: "The order's time was over." },
  CANCELED: { tone: "idle", means: "The order was cancelled." },
  MET: { tone: "idle", means: "The position was the target already, so there is no order." },
};

/** @type {Record<string, string>} code of a denial -> what to do */
export const REMEDIES = {
  STALE_PRICE: "Wait for a fresh quote, and order again. If none comes, start a feed of the instrument.",
  MAX_ORDER_SIZE: "Order less, or ask the platform's operator for a larger max_order_notional.",
  MAX_POSITION: "Order less, reduce the position first, or ask the platform's operator for a larger max_position_notional.",
  KILL_SWITCH: "A stop is in force. Allow trading again by Stop trading, or ask who has stopped it.",
  UNKNOWN_TENANT: "The agents do not know the tenant yet. Order again, or see ./dev tenants list.",
  UNKNOWN_ACCOUNT: "Choose another account, or add this one by ./dev tenants set.",
  TENANT_SUSPENDED: "The tenant is suspended. Ask the platform's operator.",
  TENANT_CLOSED: "The tenant is closed. Ask the platform's operator.",
  QUOTA: "The orders of this month are used up. Wait for the next month, or ask the platform's operator for a larger quota.",
  ORDER_RATE: "Wait for the next minute, and order again.",
  MAX_EXPOSURE: "Reduce what the other accounts hold of the instrument, or ask the platform's operator for a larger max_exposure_notional.",
  DAILY_LOSS: "Only orders that make the position smaller pass until 00:00 UTC.",
  DRAWDOWN: "Only orders that make the position smaller pass, until the platform's operator allows a larger max_drawdown.",
  NO_RATE: "A price that a limit over several instruments needs is missing. Wait for quotes of the instruments that the reason names, or start their feed.",
  TOTAL_EXPOSURE: "Order less, reduce other positions first, or ask the platform's operator for a larger max_total_exposure.",
  CURRENCY_EXPOSURE: "Order less, reduce positions in the same currency, or ask the platform's operator for a larger max_currency_exposure.",
};

/** What an order wants, before risk has decided and after. @param {Record<string, any>} order */
export function wanted(order) {
  if (order.side !== null && order.quantity !== null) return `${order.side} ${amount(order.quantity)}`;
  const units = String(order.units);
  if (order.mode !== "ADD") return `to ${amount(units)}`;
  return units.startsWith("-") ? `SELL ${amount(units.slice(1))}` : `BUY ${amount(units)}`;
}

/** A decimal as text, with its thousands apart; no digit is lost. @param {string} text */
export function amount(text) {
  const [, sign = "", whole = "", rest = ""] = /^(-?)(\d+)(.*)$/.exec(String(text)) ?? [];
  return whole === "" ? String(text) : `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${rest}`;
}
