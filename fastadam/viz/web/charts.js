// What plotly draws: contours of the surface, the paths, and the losses, and plots of what happens inside a method.
"use strict";

const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };
const LINE = 1.3;  // pixels per point of a style's width
const RANGE = 30;  // positive quantities that vary by more than this factor get a logarithmic axis
const MARGIN = { l: 48, r: 8, t: 8, b: 44 };  // of the map, pixels
const FIRST_LOSSES = 3, LEAST_LOSS = 1e-10;  // the losses that are drawn: up to and down to so many times that at the start
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
    margin: MARGIN,
    xaxis: axis(color, { range: [left, right], title: { text: "x", standoff: 8 }, ...sides }),
    yaxis: axis(color, { range: [bottom, top], title: { text: "y", standoff: 4 }, ...sides }),
  });
}

function marks(points, symbol) {
  const { ink } = colors();
  return {
    type: "scatter", mode: "markers", name: symbol, x: points.map((p) => p[0]), y: points.map((p) => p[1]),
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
  Plotly.react("contours", [surface, marks(race.minima, "cross-thin")], mapLayout(race, {}), CONFIG);
}

// The start, and for each path a line and a mark at its end; what comes last is on top.
function drawPaths(race, methods, paths, start, step) {
  const { paper } = colors();
  const lines = paths.map(({ name, path }) => ({
    type: "scatter", mode: "lines", name, x: path.x.slice(0, step + 1), y: path.y.slice(0, step + 1),
    line: { color: methods[name].color, dash: methods[name].dash, width: LINE * methods[name].width },
  }));
  const ends = paths.map(({ name, path }) => ({
    type: "scatter", mode: "markers", name, x: [path.x[step]], y: [path.y[step]],
    marker: {
      symbol: methods[name].symbol, size: methods[name].symbol === "star" ? 18 : 12, color: methods[name].color,
      line: { color: paper, width: 1.5 },
    },
  }));
  const hidden = { showticklabels: false, title: { text: "" }, ticks: "" };
  Plotly.react("paths", [marks([start], "circle-open"), ...lines, ...ends], mapLayout(race, hidden), CONFIG);
}

function drawLosses(methods, paths, steps, step) {
  const color = colors();
  const known = paths.flatMap(({ path }) => path.loss.filter((loss) => loss !== null));
  const first = Math.max(...paths.map(({ path }) => Math.abs(path.loss[0])));
  const top = Math.min(Math.max(...known), FIRST_LOSSES * first);
  const isLog = Math.min(...known) >= 0 && top > 0;
  const bottom = Math.max(Math.min(...known), isLog ? LEAST_LOSS * first : -Infinity);
  const margin = (top - bottom) / 20;
  const range = isLog ? [Math.log10(bottom / 1.5), Math.log10(top * 1.5)] : [bottom - margin, top + margin];
  const data = paths.map(({ name, path }) => ({
    type: "scatter", mode: "lines", name, x: path.loss.map((_, i) => i), y: path.loss,
    line: { color: methods[name].color, dash: methods[name].dash, width: methods[name].width },
  }));
  const layout = base(color, {
    margin: { ...MARGIN, l: 56, b: 36 },
    xaxis: axis(color, { range: [0, steps], title: { text: "step", standoff: 4 } }),
    yaxis: axis(color, {
      title: { text: "loss", standoff: 2 }, exponentformat: "power", range,
      ...(isLog ? { type: "log", dtick: Math.max(1, Math.round((range[1] - range[0]) / 4)) } : { nticks: 5 }),
    }),
    shapes: [cursor(color, step)],
  });
  Plotly.react("losses", data, layout, CONFIG);
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

function moveCursors(step) {
  for (const chart of ["plots", "losses"]) Plotly.relayout(chart, { "shapes[0].x0": step, "shapes[0].x1": step });
}
