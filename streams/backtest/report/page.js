"use strict";
const MANY = 300;  // fills of a side: beyond, markers are small, so that the price stays visible

function line(curve, name, more) {
  return Object.assign({ x: curve.t, y: curve.v, name, mode: "lines", line: { color: colour("accent"), width: 1.6, shape: "hv" } }, more);
}

function fills(of, name, symbol, tone) {
  return {
    x: of.t, y: of.p, customdata: of.q, name, mode: "markers", type: "scatter",
    marker: { symbol, size: of.t.length > MANY ? 5 : 9, opacity: 0.9, color: colour(tone), line: { width: 1, color: colour("card") } },
    hovertemplate: "%{customdata} at %{y}<extra>" + name + "</extra>",
  };
}

function equity() {
  draw("equity", [
    line(F.equity, "equity", { fill: "none", hovertemplate: "%{y:,.2f}<extra></extra>" }),
    line(F.drawdown, "drawdown", {
      yaxis: "y2", fill: "tozeroy", fillcolor: colour("fall"), line: { color: colour("down"), width: 1, shape: "hv" },
      hovertemplate: "%{y:.2%} below the peak<extra></extra>",
    }),
  ], layout(430, {
    showlegend: false, yaxis: axis({ domain: [0.34, 1], title: { text: "equity, " + F.currency } , tickformat: "," }),
    yaxis2: axis({ domain: [0, 0.27], title: { text: "drawdown" }, tickformat: ".2~%" }),
    xaxis: axis({ type: "date", anchor: "y2" }),
  }));
}

function prices() {
  F.prices.forEach((of, number) => draw("price" + number, [
    line(of, "mid", { line: { color: colour("faint"), width: 1.2 }, hovertemplate: "%{y}<extra>mid</extra>" }),
    fills(of.buys, "buy", "triangle-up", "up"), fills(of.sells, "sell", "triangle-down", "down"),
  ], layout(330, { hovermode: "closest" })));
}

function months() {
  const names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year"];
  const rows = F.months.map(of => of.months.concat([of.total])).reverse();
  const most = Math.max(1e-9, ...rows.flat().map(value => Math.abs(value || 0)));
  draw("months", [{
    type: "heatmap", x: names, y: F.months.map(of => String(of.year)).reverse(), z: rows, zmin: -most, zmax: most, xgap: 2, ygap: 2,
    text: rows.map(row => row.map(value => value === null ? "" : (100 * value).toFixed(2))), texttemplate: "%{text}",
    textfont: { color: colour("text") }, showscale: false, hoverongaps: false,
    colorscale: [[0, colour("low")], [0.5, colour("zero")], [1, colour("high")]], hovertemplate: "%{x} %{y}: %{z:.2%}<extra></extra>",
  }], layout(Math.max(130, 70 + 34 * rows.length), {
    hovermode: "closest", xaxis: { side: "top", fixedrange: true, automargin: true, showgrid: false, zeroline: false },
    yaxis: { type: "category", fixedrange: true, automargin: true, showgrid: false, zeroline: false }, margin: { l: 44, r: 6, t: 26, b: 6 },
  }));
}

function days() {
  draw("days", [{
    type: "bar", x: F.days.t, y: F.days.v, marker: { color: F.days.v.map(value => colour(value < 0 ? "down" : "up")) },
    hovertemplate: "%{x|%Y-%m-%d}: %{y:.3%}<extra></extra>",
  }], layout(210, { hovermode: "closest", bargap: 0.3, yaxis: axis({ tickformat: ".2~%", zeroline: true, zerolinecolor: colour("line") }) }));
  draw("spread", [{
    type: "histogram", x: F.days.v, marker: { color: colour("accent") }, opacity: 0.8, nbinsx: 40,
    hovertemplate: "%{x}: %{y} days<extra></extra>",
  }], layout(210, { hovermode: "closest", bargap: 0.05, xaxis: axis({ tickformat: ".2~%" }), yaxis: axis({ title: { text: "days" } }) }));
}

function trades() {
  draw("trades", [{
    x: F.trades.t, y: F.trades.v, mode: "markers", type: "scatter",
    marker: { size: 6, color: F.trades.v.map(value => colour(value < 0 ? "down" : "up")), opacity: 0.85 },
    hovertemplate: "%{x|%Y-%m-%d %H:%M:%S}: %{y:,.2f}<extra></extra>",
  }], layout(240, { hovermode: "closest", yaxis: axis({ title: { text: "profit, " + F.currency }, zeroline: true, zerolinecolor: colour("faint") }) }));
}

function denials() {
  draw("denials", [{
    type: "bar", orientation: "h", y: F.denials.codes, x: F.denials.counts, text: F.denials.counts.map(String), marker: { color: colour("accent") },
    hovertemplate: "%{y}: %{x}<extra></extra>",
  }], layout(70 + 28 * F.denials.codes.length, {
    hovermode: "closest", margin: { l: 8, r: 30, t: 4, b: 30 }, xaxis: axis({}), yaxis: axis({ type: "category", autorange: "reversed" }),
  }));
}

function luck() {
  for (const [kind, unit] of [["days", "session days"], ["trades", "trades"]]) {
    const fan = F.luck[kind].fan;
    if (!fan) continue;
    const edge = (level, more) => Object.assign({
      x: fan.steps, y: fan.levels[level], mode: "lines", line: { width: 0 }, hovertemplate: "%{y:,.2f}<extra>" + Math.round(100 * level) + " % at or below</extra>",
    }, more);
    draw("luck-" + kind, [
      edge("0.05"), edge("0.95", { fill: "tonexty", fillcolor: colour("fill") }),
      edge("0.25"), edge("0.75", { fill: "tonexty", fillcolor: colour("fill") }),
      edge("0.5", { line: { color: colour("faint"), width: 1.2, dash: "dot" } }),
      { x: fan.steps, y: fan.observed, mode: "lines", line: { color: colour("accent"), width: 1.8 }, hovertemplate: "%{y:,.2f}<extra>as it was</extra>" },
    ], layout(260, {
      showlegend: false, xaxis: axis({ title: { text: unit } }), yaxis: axis({ title: { text: "equity, " + F.currency }, tickformat: "," }),
    }));
  }
}

function everything() {
  for (const each of [equity, prices, months, days, trades, denials, luck]) each();
  document.documentElement.dataset.drawn = "yes";
}

dark.addEventListener("change", everything);
everything();
