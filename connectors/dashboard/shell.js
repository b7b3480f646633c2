// @ts-check
// What stands around every page: name, pages, whether the numbers are live, theme, user.
import { useCallback, useEffect, useState } from "preact/hooks";
import { clock, seconds, utc } from "/assets/format.js";
import { html } from "/assets/html.js";
import { pagesOf } from "/assets/pages.js";
import { follow, path } from "/assets/router.js";
import { logout, user } from "/assets/session.js";
import { mayStop, StopTrading } from "/assets/stop.js";
import { heard, link, stale } from "/assets/stream.js";
import { theme, toggle } from "/assets/theme.js";

/** @type {Map<string, import("preact").ComponentType>} what was loaded */
const loaded = new Map();

export function Shell() {
  const pages = pagesOf(user.value?.role);
  const page = pages.find((one) => one.path === path.value) ?? pages[0];
  const [, setLoads] = useState(0);
  const [stopping, setStopping] = useState(false);
  const endStopping = useCallback(() => setStopping(false), []);

  useEffect(() => {
    if (page === undefined) return;
    document.title = page.path === "/" ? "Tradewind" : `${page.name} · Tradewind`;
    if (loaded.has(page.path)) return;
    void page.load().then((found) => {
      loaded.set(page.path, found);
      setLoads((count) => count + 1);
    });
  }, [page]);

  const Page = page && loaded.get(page.path);
  return html`
    <header class="bar">
      <a class="brand" href="/" onClick=${follow} aria-label="Tradewind"><img src="/assets/icon.svg" alt="" width="22" height="22" /><span>Tradewind</span></a>
      <nav class="scrolls" aria-label="Pages">${pages.filter((one) => one.path !== "/account").map((one) => html`<a key=${one.path} href=${one.path} onClick=${follow} aria-current=${one === page ? "page" : undefined}>${one.name}</a>`)}</nav>
      <span class="fill"></span>
      <${Live} />
      ${mayStop(user.value?.role) && html`<button class="quiet stop" aria-expanded=${stopping} onClick=${() => setStopping(!stopping)}>Stop<span class="word"> trading</span></button>`}
      <button class="quiet" onClick=${toggle} aria-label=${`Use the ${theme.value === "dark" ? "light" : "dark"} theme`}>
        ${theme.value === "dark" ? "☀" : "☾"}
      </button>
      <a class="user" href="/account" onClick=${follow} aria-current=${page?.path === "/account" ? "page" : undefined} title=${`Your login and sessions. You see ${user.value?.tenant ?? "all tenants"}.`}>${user.value?.name}</a>
      <button class="quiet" onClick=${() => void logout()}>Sign out</button>
    </header>
    ${stopping && mayStop(user.value?.role) && html`<${StopTrading} close=${endStopping} />`}
    ${Page ? html`<${Page} />` : html`<main class="boot" role="status">Loading</main>`}
  `;
}

/** Whether numbers still come: a page that stands must not look as if nothing happened. */
function Live() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const age = (now - heard.value) / 1000;
  const at = heard.value / 1000;
  if (link.value === "live" && !stale.value) {
    return html`<span class="live" title=${utc(at)}><i class="dot ok"></i><span class="word">live</span> ${clock(at)}</span>`;
  }
  if (heard.value === 0) return html`<span class="live" role="status"><i class="dot wait"></i>connecting</span>`;
  return html`<span class="live bad" role="status" title=${utc(at)}><i class="dot bad"></i>no news for ${seconds(age)}</span>`;
}
