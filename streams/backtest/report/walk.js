"use strict";

function everything() {
  draw("equity", [{
    x: F.equity.t, y: F.equity.v, mode: "lines", line: { color: colour("accent"), width: 1.6, shape: "hv" },
    hovertemplate: "%{y:,.2f}<extra></extra>",
  }], layout(380, {
    showlegend: false, yaxis: axis({ tickformat: "," }),
    shapes: F.bounds.map(at => ({ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: colour("line"), dash: "dot", width: 1 } })),
  }));
  document.documentElement.dataset.drawn = "yes";
}

dark.addEventListener("change", everything);
everything();
