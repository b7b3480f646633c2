// @ts-check
// Light or dark: the system's choice, until a person makes another.
import { signal } from "@preact/signals";

const KEY = "tradewind.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** @type {import("@preact/signals").Signal<"light" | "dark">} */
export const theme = signal(chosen());

/** @returns {"light" | "dark"} */
function chosen() {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") return kept;
  return system.matches ? "dark" : "light";
}

function show() {
  theme.value = chosen();
  document.documentElement.dataset.theme = theme.value;
}

export function toggle() {
  localStorage.setItem(KEY, theme.value === "dark" ? "light" : "dark");
  show();
}

system.addEventListener("change", show);
show();
