"use strict";
const F = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function axis(more) {
  return Object.assign({ gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true }, more);
}

function layout(height, more) {
  return Object.assign({
    height, margin: { l: 56, r: 14, t: 8, b: 34 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("text"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("faint"), activecolor: colour("accent") },
    hovermode: "x unified", hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, xaxis: axis({ type: "date" }), yaxis: axis({}),
  }, more);
}

const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "sendDataToCloud"] };

function draw(id, traces, plan) {
  const place = document.getElementById(id);
  if (place) Plotly.react(place, traces, plan, CONFIG);
}
