// The controls of the page, and what is chosen with them. charts.js draws.
"use strict";

const GLYPHS = {
  circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", star: "★", x: "✖", cross: "✚",
};
const DECAYS = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999];  // to choose beta from
const USUAL = [0.9, 0.999];
const BETAS = ["beta1", "beta2"];

function run(data) {
  const at = (id) => document.getElementById(id);
  const names = Object.keys(data.methods);
  const correcting = names.filter((name) => data.methods[name].correctsBias);
  const chosen = {
    race: data.races[0], step: 0, bias: data.biasCorrection, shown: new Set(data.first), start: null, betas: USUAL,
    inside: names.includes("Adam") ? "Adam" : names[0],
    factor: Object.fromEntries(names.map((name) => [name, data.factors.indexOf(1)])),
  };
  let playing = null;  // while playing, the time and the step at which it started
  let walked = {};  // paths that have been computed, for the race, the start and the betas that are chosen
  const rows = {};
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const showStart = makeStart(moveStart);

  function pathOf(name) {
    const { race, start, betas, bias } = chosen, factor = chosen.factor[name];
    if (race.paths) {
      const paths = race.paths[name][factor];
      return paths[bias ? paths.length - 1 : 0];
    }
    const lr = race.rates[name] * data.factors[factor], { steps, noise } = race;
    return walked[[name, factor, bias]] ??= walk(
      SURFACES[race.name], data.methods[name], { start, steps, noise, lr, betas, bias }, data.quantities,
    );
  }
  const shownPaths = () => data.drawn.filter((name) => chosen.shown.has(name)).map((name) => ({ name, path: pathOf(name) }));

  function makeControls() {
    at("surface").append(...data.races.map((race, i) => element("option", { value: i }, race.title)));
    for (const name of names) {
      const { color, symbol } = data.methods[name];
      const show = element("input", { type: "checkbox", checked: chosen.shown.has(name) });
      const glyph = element("span", { className: "glyph", ariaHidden: "true" }, GLYPHS[symbol]);
      glyph.style.color = color;
      const rate = element("select", { ariaLabel: `Learning rate of ${name}` });
      const loss = element("td", { className: "loss" });
      const inside = element("input", { type: "radio", name: "inside", ariaLabel: `Look inside ${name}` });
      inside.checked = name === chosen.inside;
      const label = element("label", {}, show, glyph, name);
      const row = element(
        "tr", { hidden: !chosen.shown.has(name) },
        element("th", { scope: "row" }, label), element("td", {}, rate), loss, element("td", {}, inside),
      );
      at("methods").tBodies[0].append(row);
      rows[name] = { row, rate, loss };
      show.onchange = () => { chosen.shown[show.checked ? "add" : "delete"](name); drawAll(); };
      rate.onchange = () => { chosen.factor[name] = Number(rate.value); drawAll(); };
      inside.onchange = () => { chosen.inside = name; drawAll(); };
    }
    const more = names.filter((name) => rows[name].row.hidden);
    at("more").hidden = !more.length;
    at("more").textContent = `More: ${more.join(", ")}`;
    at("more").onclick = () => {
      for (const name of more) rows[name].row.hidden = false;
      at("more").hidden = true;
      rows[more[0]].row.querySelector("input").focus();
    };
    at("values").tBodies[0].append(...data.quantities.map((quantity) => element(
      "tr", {}, element("th", { scope: "row" }, quantity, element("small", {})), element("td", {}), element("td", {}),
    )));
    at("meanings").append(...data.quantities.flatMap((name) => [element("dt", {}, name), element("dd", {})]));
    at("bias").checked = chosen.bias;
    at("correcting").hidden = !correcting.length;
    at("correctors").textContent = correcting.join(", ").replace(/, ([^,]*)$/, " and $1");
    BETAS.forEach((id, i) => {
      at(id).max = DECAYS.length - 1;
      at(id).oninput = () => { chosen.betas = chosen.betas.with(i, DECAYS[at(id).value]); change(); };
    });
    at("usual").onclick = () => { [chosen.start, chosen.betas] = [chosen.race.start, USUAL]; change(); };
    at("surface").onchange = () => { choose(data.races[Number(at("surface").value)]); begin(); };
    at("bias").onchange = () => { chosen.bias = at("bias").checked; drawAll(); };
    at("step").oninput = () => { pause(); go(Number(at("step").value)); };
    at("play").onclick = () => (playing ? pause() : play());
    at("speed").onchange = () => { if (playing) play(); };
    listenToKeys({
      here: () => chosen.step, last: () => chosen.race.steps, go: (step) => { pause(); go(step); }, toggle: () => at("play").click(),
    });
    for (const query of ["(prefers-color-scheme: dark)", "(max-width: 34rem)"]) {
      matchMedia(query).addEventListener("change", drawAll);
    }
  }

  function choose(race) {
    Object.assign(chosen, { race, step: 0, start: race.start });
    at("shows").textContent = race.shows ? `What to look for: ${race.shows}` : "";
    at("source").textContent = race.source ? `Source of this surface: ${race.source}.` : "";
    at("step").max = race.steps;
    at("map").ariaLabel = `Contours of ${race.title} with the paths of ${names.join(", ")}. The table below has their losses.`;
    at("losses").ariaLabel = "The loss of each method over the steps. The table below has the values of this step.";
    at("startmark").textContent = race.paths ? "start" : "start: drag it, or click anywhere";
    for (const id of ["trying", "decays"]) at(id).hidden = Boolean(race.paths);
    for (const name of names) {
      const rates = data.factors.map((factor) => Number((race.rates[name] * factor).toPrecision(3)));
      rows[name].rate.replaceChildren(...rates.map((lr, i) => element("option", { value: i }, String(lr))));
      rows[name].rate.value = chosen.factor[name];
    }
    drawContours(race, data.levels);
    change();
  }

  // After another start or other betas.
  function change() {
    walked = {};
    BETAS.forEach((id, i) => {
      at(id).value = DECAYS.indexOf(chosen.betas[i]);
      at(id).ariaValueText = at(`${id}is`).value = String(chosen.betas[i]);
    });
    showStart(chosen.race, chosen.start);
    drawMoving();
  }

  function moveStart(start, isDragging) {
    pause();
    Object.assign(chosen, { start, step: chosen.race.steps });
    change();
    if (!isDragging) { chosen.step = 0; begin(); }
  }

  function drawAll() {
    drawContours(chosen.race, data.levels);
    drawMoving();
  }

  function drawMoving() {
    const { race, step, start, bias } = chosen;
    drawPaths(race, data.methods, shownPaths(), start, step);
    drawLosses(data.methods, shownPaths(), race.steps, step);
    drawPlots(pathOf(chosen.inside), data.quantities, race.steps, step);
    at("plots").ariaLabel = `Plots of what happens inside ${chosen.inside}. The table beside them has the values of this step.`;
    const { formulas, meanings } = data.methods[chosen.inside];
    const said = at("meanings").querySelectorAll("dd");
    data.quantities.forEach((quantity, i) => {
      at("values").tBodies[0].rows[i].querySelector("small").textContent = formulas[Number(bias)][quantity].replace("-", "−");
      said[i].textContent = meanings[Number(bias)][quantity];
    });
    tell();
  }

  function go(step) {
    chosen.step = Math.max(0, Math.min(chosen.race.steps, step));
    drawPaths(chosen.race, data.methods, shownPaths(), chosen.start, chosen.step);
    moveCursors(chosen.step);
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

  makeControls();
  document.querySelector("main").hidden = false;
  choose(chosen.race);
  begin();
}

Promise.all([unpack("plotly"), unpack("packed")]).then(([plotly, packed]) => {
  document.head.append(element("script", { textContent: plotly }));
  run(JSON.parse(packed));
});
