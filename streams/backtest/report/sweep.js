"use strict";

function map() {
  const form = F.percent ? ".2~%" : ".3~f";
  const said = "%{" + (F.axes.length === 2 ? "z" : "y") + ":" + form + "}";
  if (F.axes.length === 2) {
    const most = Math.max(1e-12, ...F.cells.flat().map(value => Math.abs(value || 0)));
    draw("map", [{
      type: "heatmap", x: F.values[0], y: F.values[1], z: F.cells, zmin: -most, zmax: most, xgap: 1, ygap: 1, hoverongaps: false,
      colorscale: [[0, colour("low")], [0.5, colour("zero")], [1, colour("high")]],
      colorbar: { title: { text: F.by }, tickformat: form, outlinewidth: 0 },
      hovertemplate: F.axes[0] + " %{x}, " + F.axes[1] + " %{y}: " + said + "<extra></extra>",
    }], layout(Math.max(320, 90 + 22 * F.values[1].length), {
      hovermode: "closest", margin: { l: 60, r: 14, t: 12, b: 48 },
      xaxis: axis({ type: "category", title: { text: F.axes[0] }, showgrid: false }),
      yaxis: axis({ type: "category", title: { text: F.axes[1] }, showgrid: false }),
    }));
  } else if (F.axes.length === 1) {
    draw("map", [{
      type: "bar", x: F.values[0], y: F.cells, marker: { color: F.cells.map(value => colour(value < 0 ? "down" : "up")) },
      hovertemplate: F.axes[0] + " %{x}: " + said + "<extra></extra>",
    }], layout(320, {
      hovermode: "closest",
      xaxis: axis({ type: "category", title: { text: F.axes[0] } }), yaxis: axis({ title: { text: F.by }, tickformat: form }),
    }));
  } else {
    document.getElementById("map").textContent = "No parameter has two values.";
  }
  document.documentElement.dataset.drawn = "yes";
}

dark.addEventListener("change", map);
map();
