// The controls of the page, and what is chosen with them. charts.js draws.
"use strict";

const GLYPHS = {
  circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", star: "★", x: "✖", cross: "✚",
};
const LEAP = 10;  // steps, with Shift

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function words(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const text = size === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(value.toPrecision(3))) : value.toExponential(1);
  return text.replace(/-/g, "−").replace("e+", "e");
}

function run(data) {
  const at = (id) => document.getElementById(id);
  const names = Object.keys(data.methods);
  const chosen = {
    race: data.races[0], step: 0, bias: data.biasCorrection, shown: new Set(names),
    inside: names.includes("Adam") ? "Adam" : names[0],
    factor: Object.fromEntries(names.map((name) => [name, data.factors.indexOf(1)])),
  };
  let playing = null;  // while playing, the time and the step at which it started
  const rows = {};
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;

  const pathOf = (name) => {
    const { paths } = chosen.race.rates[name][chosen.factor[name]];
    return paths[chosen.bias ? paths.length - 1 : 0];
  };
  const shownPaths = () => names.filter((name) => chosen.shown.has(name)).map((name) => ({ name, path: pathOf(name) }));

  function makeControls() {
    at("surface").append(...data.races.map((race, i) => element("option", { value: i }, race.title)));
    for (const name of names) {
      const { color, symbol } = data.methods[name];
      const show = element("input", { type: "checkbox", checked: true });
      const glyph = element("span", { className: "glyph", ariaHidden: "true" }, GLYPHS[symbol]);
      glyph.style.color = color;
      const rate = element("select", { ariaLabel: `Learning rate of ${name}` });
      const loss = element("td", { className: "loss" });
      const inside = element("input", { type: "radio", name: "inside", ariaLabel: `Look inside ${name}` });
      inside.checked = name === chosen.inside;
      const label = element("label", {}, show, glyph, name);
      at("methods").tBodies[0].append(
        element("tr", {}, element("th", { scope: "row" }, label), element("td", {}, rate), loss, element("td", {}, inside)),
      );
      rows[name] = { rate, loss };
      show.onchange = () => { chosen.shown[show.checked ? "add" : "delete"](name); drawAll(); };
      rate.onchange = () => { chosen.factor[name] = Number(rate.value); drawAll(); };
      inside.onchange = () => { chosen.inside = name; drawAll(); };
    }
    at("values").tBodies[0].append(...data.quantities.map((quantity) => element(
      "tr", {}, element("th", { scope: "row" }, quantity, element("small", {})), element("td", {}), element("td", {}),
    )));
    at("bias").checked = chosen.bias;
    at("correcting").hidden = !data.races[0] || names.every((name) => data.races[0].rates[name][0].paths.length === 1);
    at("surface").onchange = () => { choose(data.races[Number(at("surface").value)]); begin(); };
    at("bias").onchange = () => { chosen.bias = at("bias").checked; drawAll(); };
    at("step").oninput = () => { pause(); go(Number(at("step").value)); };
    at("play").onclick = () => (playing ? pause() : play());
    at("speed").onchange = () => { if (playing) play(); };
    document.addEventListener("keydown", press);
    for (const query of ["(prefers-color-scheme: dark)", "(max-width: 34rem)"]) {
      matchMedia(query).addEventListener("change", drawAll);
    }
  }

  function choose(race) {
    chosen.race = race;
    chosen.step = 0;
    at("shows").textContent = race.shows;
    at("source").textContent = race.source ? `Source of this surface: ${race.source}.` : "";
    at("step").max = race.steps;
    at("map").ariaLabel = `Contours of ${race.title} with the paths of ${names.join(", ")}. The table below has their losses.`;
    for (const name of names) {
      rows[name].rate.replaceChildren(...race.rates[name].map(({ lr }, i) => element("option", { value: i }, String(lr))));
      rows[name].rate.value = chosen.factor[name];
    }
    drawAll();
  }

  function drawAll() {
    drawContours(chosen.race, data.levels);
    drawPaths(chosen.race, data.methods, shownPaths(), chosen.step);
    drawPlots(pathOf(chosen.inside), data.quantities, chosen.race.steps, chosen.step);
    at("plots").ariaLabel = `Plots of what happens inside ${chosen.inside}. The table beside them has the values of this step.`;
    const formulas = data.methods[chosen.inside].formulas[Number(chosen.bias)];
    data.quantities.forEach((quantity, i) => {
      at("values").tBodies[0].rows[i].querySelector("small").textContent = formulas[quantity].replace("-", "−");
    });
    tell();
  }

  function go(step) {
    chosen.step = Math.max(0, Math.min(chosen.race.steps, step));
    drawPaths(chosen.race, data.methods, shownPaths(), chosen.step);
    movePlots(chosen.step);
    tell();
  }

  function tell() {
    const { step, race } = chosen;
    at("step").value = step;
    at("step").ariaValueText = `step ${step} of ${race.steps}`;
    at("count").value = `step ${step} of ${race.steps}`;
    at("inside").textContent = `Inside ${chosen.inside}, step ${step}`;
    for (const name of names) {
      const loss = pathOf(name).loss[step];
      rows[name].loss.textContent = loss === null ? "diverged" : words(loss);
    }
    data.quantities.forEach((name, i) => {
      quantity(pathOf(chosen.inside), name).forEach((values, k) => {
        at("values").tBodies[0].rows[i].cells[1 + k].textContent = words(values[step - 1]);
      });
    });
  }

  function begin() {
    if (isStill) go(chosen.race.steps);
    else play();
  }

  function play() {
    playing = { since: performance.now(), from: chosen.step < chosen.race.steps ? chosen.step : 0 };
    at("play").textContent = "Pause";
    requestAnimationFrame(tick);
  }

  function pause() {
    playing = null;
    at("play").textContent = "Play";
  }

  function tick(now) {
    if (!playing) return;
    const step = playing.from + Math.floor(Math.max(0, now - playing.since) / 1000 * Number(at("speed").value));
    if (step !== chosen.step) go(step);
    if (chosen.step >= chosen.race.steps) pause();
    else requestAnimationFrame(tick);
  }

  // Keys that the focused control uses itself are left to it.
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { tagName, type } = event.target;
    const isRange = type === "range";
    const ownsSpace = !isRange && ["BUTTON", "SELECT", "INPUT"].includes(tagName);
    const ownsArrows = isRange || tagName === "SELECT" || type === "radio";
    const leap = event.shiftKey ? LEAP : 1;
    const targets = { ArrowLeft: chosen.step - leap, ArrowRight: chosen.step + leap, Home: 0, End: chosen.race.steps };
    if (event.key === " " && !ownsSpace) at("play").click();
    else if (event.key in targets && (!ownsArrows || (isRange && event.shiftKey))) { pause(); go(targets[event.key]); }
    else return;
    event.preventDefault();
  }

  makeControls();
  document.querySelector("main").hidden = false;
  choose(chosen.race);
  begin();
}

unpack(document.getElementById("packed").textContent).then(run);
