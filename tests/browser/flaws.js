// What is wrong with how a page stands in its window: wider than it, or text that is cut without saying the whole.
() => {
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} "${(element.textContent ?? "").trim().slice(0, 40)}"`;
  const found = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth + 1) found.push(`the page is ${root.scrollWidth} px wide in a window of ${innerWidth}`);
  for (const element of document.querySelectorAll("#page *")) {
    if (!(element instanceof HTMLElement) || !shown(element) || element.closest(".hidden")) continue;
    const style = getComputedStyle(element);
    if (style.clipPath !== "none") continue; // hidden from eyes, and read aloud
    const cut = style.overflowX !== "visible" && style.overflowX !== "auto" && style.overflowX !== "scroll";
    const told = style.textOverflow === "ellipsis" && (element.title || element.closest("[title]"));
    if (cut && !told && element.scrollWidth > element.clientWidth + 1) found.push(`text is cut: ${name(element)}`);
    const box = element.getBoundingClientRect();
    const around = element.parentElement.getBoundingClientRect();
    if (element.matches("input, button, select") && box.right > around.right + 1) found.push(`sticks out: ${name(element)}`);
    const scrolls = element.parentElement?.closest(".scrolls");
    if (!scrolls && box.width > 0 && box.right > innerWidth + 1) found.push(`beyond the right edge: ${name(element)}`);
  }
  return found.slice(0, 10);
}
