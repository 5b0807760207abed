// What plotly draws: contours of the surface, the paths, and plots of what happens inside a method.
"use strict";

const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };
const LINE = 1.3;  // pixels per point of a style's width
const RANGE = 30;  // positive quantities that vary by more than this factor get a logarithmic axis
const PLOT_GAP = 0.16;  // of the height of a plot

function colors() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

function size(name) {
  return parseFloat(colors()[name]) * parseFloat(getComputedStyle(document.documentElement).fontSize);
}

function axis(color, more) {
  return { color: color.faint, gridcolor: color.rule, zeroline: false, fixedrange: true, ...more };
}

function base(color, more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: color.ink, size: 12 },
    showlegend: false, dragmode: false, hovermode: false, ...more,
  };
}

function mapLayout(race, more) {
  const color = colors();
  const [[left, right], [bottom, top]] = race.region;
  const sides = { showgrid: false, ...more };
  return base(color, {
    margin: { l: 48, r: 8, t: 8, b: 44 },
    xaxis: axis(color, { range: [left, right], title: { text: "x", standoff: 8 }, ...sides }),
    yaxis: axis(color, { range: [bottom, top], title: { text: "y", standoff: 4 }, ...sides }),
  });
}

function marks(points, symbol) {
  const { ink } = colors();
  return {
    type: "scatter", mode: "markers", x: points.map((p) => p[0]), y: points.map((p) => p[1]),
    marker: { symbol, size: 13, color: ink, line: { width: 2, color: ink } },
  };
}

// The paths have a chart of their own on top, so that a step does not draw the contours again.
function drawContours(race, levels) {
  const color = colors();
  const surface = {
    type: "contour", ...race.contours, showscale: false, zmin: 0, zmax: 1,
    colorscale: [[0, color.low], [1, color.high]], line: { color: color.contour, width: 0.7 },
    contours: { start: 1 / levels, end: 1 - 1 / levels, size: 1 / levels },
  };
  const data = [surface, marks([race.start], "circle-open"), marks(race.minima, "cross-thin")];
  Plotly.react("contours", data, mapLayout(race, {}), CONFIG);
}

// For each path a line, and a mark at its end.
function drawPaths(race, methods, paths, step) {
  const { paper } = colors();
  const data = paths.flatMap(({ name, path }) => {
    const { color, dash, symbol, width } = methods[name];
    const size = symbol === "star" ? 16 : 12;
    return [
      {
        type: "scatter", mode: "lines", x: path.x.slice(0, step + 1), y: path.y.slice(0, step + 1),
        line: { color, dash, width: LINE * width },
      },
      {
        type: "scatter", mode: "markers", x: [path.x[step]], y: [path.y[step]],
        marker: { symbol, size, color, line: { color: paper, width: 1.5 } },
      },
    ];
  });
  const hidden = { showticklabels: false, title: { text: "" }, ticks: "" };
  Plotly.react("paths", data, mapLayout(race, hidden), CONFIG);
}

// The values of a quantity for x and for y. In place of values there may be the name of a quantity that has the same.
function quantity(path, name) {
  const found = path.inside[name];
  return typeof found === "string" ? quantity(path, found) : found;
}

function scale(values) {
  const known = values.flat().filter((value) => value !== null);
  const least = Math.min(...known), growth = Math.max(...known) / least;
  if (!(least > 0 && growth > RANGE)) return { type: "linear", nticks: 3 };
  return { type: "log", dtick: Math.max(1, Math.round(Math.log10(growth) / 3)) };
}

function cursor(color, step) {
  return { type: "line", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1, line: { color: color.focus, width: 1.5 } };
}

function drawPlots(path, quantities, steps, step) {
  const color = colors(), count = quantities.length, head = size("head"), bottom = 32;
  const layout = base(color, {
    height: head + count * size("row") + bottom,
    margin: { l: 46, r: 8, t: head, b: bottom },
    xaxis: axis(color, { range: [0, steps], anchor: `y${count}`, title: { text: "step", standoff: 4 } }),
    shapes: [cursor(color, step)],
  });
  const x = Array.from({ length: steps }, (_, i) => i + 1);
  const lines = [{ color: color.ink, width: 1.5 }, { color: color.second, width: 1.5, dash: "dash" }];
  const data = quantities.flatMap((name, i) => {
    const values = quantity(path, name), end = 1 - i / count;
    layout[`yaxis${i + 1}`] = axis(color, {
      domain: [end - (1 - PLOT_GAP) / count, end - PLOT_GAP / 2 / count], tickfont: { size: 10 }, exponentformat: "power",
      ...scale(values),
    });
    return values.map((y, k) => ({ type: "scatter", mode: "lines", x, y, line: lines[k], xaxis: "x", yaxis: `y${i + 1}` }));
  });
  Plotly.react("plots", data, layout, CONFIG);
}

function movePlots(step) {
  Plotly.relayout("plots", { "shapes[0].x0": step, "shapes[0].x1": step });
}
