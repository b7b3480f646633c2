// @ts-check
// Who is signed in. The access token stays in memory; the session's cookie is out of a script's reach.
import { signal } from "@preact/signals";

const API = "/api/v1";
const REFRESH_PART = 0.8; // of a token's life, after which the next one is fetched
const AGAIN_S = 3;

/** @typedef {{name: string, role: string, tenant: string | null, hasPassword: boolean, hasSecondFactor: boolean, mustEnrol: boolean}} User */

/** @type {import("@preact/signals").Signal<"unknown" | "in" | "out">} */
export const state = signal("unknown");
/** @type {import("@preact/signals").Signal<User | null>} */
export const user = signal(null);
/** Whether somebody has just come by a link, and has no password yet. */
export const choosing = signal(false);

let token = "";
let timer = 0;
/** @type {Promise<void> | null} */
let refreshing = null;

/** An error of the gateway, as RFC 9457 says it. */
export class Problem extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(body?.detail ?? `the gateway answered ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.remedy = body?.remedy ?? "";
    this.pointer = body?.pointer ?? "";
  }
}

/** Take a signed-in answer. @param {any} found */
function enter(found) {
  token = found.access_token;
  user.value = { name: found.user, role: found.role, tenant: found.tenant, hasPassword: found.has_password, hasSecondFactor: found.has_second_factor, mustEnrol: found.must_enrol };
  state.value = "in";
  clearTimeout(timer);
  timer = setTimeout(() => void refresh(), found.expires_in * REFRESH_PART * 1000);
}

/** @param {string} path @param {RequestInit} options */
async function asked(path, options) {
  const answer = await fetch(API + path, { credentials: "same-origin", cache: "no-store", ...options });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, body);
  return body;
}

/** Begin a session by a one-time link, or by name and password.
 * @param {({link: string} | {name: string, password: string}) & {code?: string}} shown */
export async function login(shown) {
  const body = JSON.stringify(shown);
  const found = await asked("/auth/login", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  choosing.value = "link" in shown && !found.has_password && found.role !== "operator"; // operators make links themselves
  enter(found);
}

/** Get the next access token, or learn that the session has ended. */
export function refresh() {
  refreshing ??= next().finally(() => (refreshing = null));
  return refreshing;
}

async function next() {
  clearTimeout(timer);
  try {
    enter(await asked("/auth/refresh", { method: "POST" }));
  } catch (error) {
    if (error instanceof Problem && error.status === 401) leave();
    else timer = setTimeout(() => void refresh(), AGAIN_S * 1000); // the gateway is away: the session is not over
  }
}

export async function logout() {
  await asked("/auth/logout", { method: "POST" }).catch(() => null);
  leave();
}

function leave() {
  clearTimeout(timer);
  token = "";
  user.value = null;
  state.value = "out";
}

export function accessToken() {
  return token;
}

/** Ask a route; a token that has just expired is replaced once. @param {string} path */
export function get(path) {
  return allowed(path, {}, {});
}

/** Have a route do something. @param {string} path @param {object} body @param {Record<string, string>} headers */
export function post(path, body, headers = {}) {
  return allowed(path, { method: "POST", body: JSON.stringify(body) }, { "Content-Type": "application/json", ...headers });
}

/** Have a route remove something. @param {string} path */
export function remove(path) {
  return allowed(path, { method: "DELETE" }, {});
}

/** @param {string} path @param {RequestInit} options @param {Record<string, string>} headers */
async function allowed(path, options, headers) {
  for (let tried = 0; ; tried++) {
    try {
      return await asked(path, { ...options, headers: { ...headers, Authorization: `Bearer ${token}` } });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401 || tried > 0) throw error;
      await refresh();
      if (state.value !== "in") throw error;
    }
  }
}
