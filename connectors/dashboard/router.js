// @ts-check
// Which page the address names. Links within the page change it without loading anything again.
import { signal } from "@preact/signals";

export const path = signal(location.pathname);

/** Show another page. @param {string} to */
export function go(to) {
  history.pushState(null, "", to);
  path.value = location.pathname;
  scrollTo(0, 0);
}

/** Follow a link within the page, unless a person wants it in another tab. @param {MouseEvent} event */
export function follow(event) {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(/** @type {HTMLAnchorElement} */ (event.currentTarget).getAttribute("href") ?? "/");
}

addEventListener("popstate", () => (path.value = location.pathname));
