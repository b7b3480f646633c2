// @ts-check
// Where the page begins: sign in, or the shell with the page that the address names.
import { effect } from "@preact/signals";
import { render } from "preact";
import { MustEnrol } from "/assets/account/factor.js";
import { html } from "/assets/html.js";
import { ChoosePassword, Login } from "/assets/login.js";
import { path } from "/assets/router.js";
import { choosing, refresh, state, user } from "/assets/session.js";
import { Shell } from "/assets/shell.js";
import "/assets/theme.js";

const root = /** @type {HTMLElement} */ (document.getElementById("page"));

function Page() {
  if (state.value === "unknown") return html`<div class="boot" role="status">Signing in</div>`;
  if (state.value !== "in") return html`<${Login} />`;
  if (choosing.value) return html`<${ChoosePassword} />`;
  return user.value?.mustEnrol ? html`<${MustEnrol} />` : html`<${Shell} />`;
}

effect(() => {
  if (state.value === "in" && location.pathname === "/login") {
    history.replaceState(null, "", "/");
    path.value = "/";
  }
});

// A link's code follows the `#`, which browsers send to nobody.
if (location.pathname === "/login" && location.hash.length > 1) state.value = "out";
else void refresh();
render(html`<${Page} />`, root);
