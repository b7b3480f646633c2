// @ts-check
// The WebSocket to the gateway: one for the page, opened again whenever it ends, with what is subscribed.
import { effect, signal } from "@preact/signals";
import { accessToken, refresh, state as session, user } from "/assets/session.js";

const FIRST_PAUSE_S = 0.5;
const LONGEST_PAUSE_S = 8;
const STALE_S = 5; // the flow comes each second
const SILENCE_S = 20; // without a frame: the flow comes each second, so the connection is dead
const NOT_SIGNED_IN = 4401;

/** @type {import("@preact/signals").Signal<"connecting" | "live" | "lost">} */
export const link = signal("connecting");
/** When the last frame came, ms since 1970. */
export const heard = signal(0);
/** Whether frames have stopped to come: what a page shows then is old, and must not look as if it were true now. */
export const stale = signal(false);

/** @type {Map<string, {symbols: string[] | undefined, take: (data: any) => void}>} channel -> who takes its frames */
const takers = new Map();
/** @type {WebSocket | null} */
let socket = null;
let pause = FIRST_PAUSE_S;
let timer = 0;

/** Take the frames of a channel from now on, of all its symbols or of some; returns what ends that.
 * @param {string} channel @param {(data: any) => void} take @param {string[]} [symbols] */
export function subscribe(channel, take, symbols) {
  takers.set(channel, { symbols, take });
  send({ op: "subscribe", channel, symbols });
  return () => {
    takers.delete(channel);
    send({ op: "unsubscribe", channel, symbols });
  };
}

/** @param {object} command */
function send(command) {
  if (socket?.readyState === WebSocket.OPEN && link.value === "live") socket.send(JSON.stringify(command));
}

function open() {
  clearTimeout(timer);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const made = new WebSocket(`${scheme}://${location.host}/api/v1/stream`);
  socket = made;
  made.onopen = () => made.send(JSON.stringify({ op: "auth", token: accessToken() }));
  made.onmessage = (event) => made === socket && take(JSON.parse(event.data));
  made.onclose = (event) => made === socket && void closed(event.code);
}

/** @param {any} frame */
function take(frame) {
  heard.value = Date.now();
  stale.value = false;
  if (frame.op === "ready") {
    pause = FIRST_PAUSE_S;
    link.value = "live";
    for (const [channel, { symbols }] of takers) send({ op: "subscribe", channel, symbols });
  } else if (frame.channel) {
    takers.get(frame.channel)?.take(frame.data);
  }
}

/** @param {number} code */
async function closed(code) {
  socket = null;
  link.value = "lost";
  if (code === NOT_SIGNED_IN) await refresh();
  if (session.value !== "in") return;
  timer = setTimeout(open, pause * (0.5 + Math.random()) * 1000);
  pause = Math.min(pause * 2, LONGEST_PAUSE_S);
}

function close() {
  clearTimeout(timer);
  const old = socket;
  socket = null;
  old?.close();
  link.value = "connecting";
}

// A frozen network says nothing of it.
setInterval(() => {
  stale.value = heard.value > 0 && Date.now() - heard.value > STALE_S * 1000;
  if (socket !== null && link.value === "live" && Date.now() - heard.value > SILENCE_S * 1000) {
    close();
    link.value = "lost";
    open();
  }
}, 1000);

effect(() => {
  if (session.value === "in" && !user.value?.mustEnrol) {
    if (socket === null) open();
  } else {
    close();
  }
});

// Each access token is told to the connection before the last one ends.
let told = "";
setInterval(() => {
  const token = accessToken();
  if (token && token !== told && link.value === "live") {
    if (told) send({ op: "auth", token });
    told = token;
  }
}, 1000);
