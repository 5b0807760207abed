// Where the methods start: a handle to drag on the map, a click anywhere on it, or two numbers.
"use strict";

// `moved` gets the place and whether it is being dragged. Returns a function that shows a race's start.
function makeStart(moved) {
  const at = (id) => document.getElementById(id);
  const map = at("map"), handle = at("handle"), numbers = [at("startx"), at("starty")];
  let race = null, isDragging = false, last = null, waiting = false;

  const clamp = (value, [low, high]) => Math.max(low, Math.min(high, value));

  function placeOf(event) {
    const box = map.getBoundingClientRect(), { l, r, t, b } = MARGIN;
    const shares = [(event.clientX - box.left - l) / (box.width - l - r), 1 - (event.clientY - box.top - t) / (box.height - t - b)];
    return race.region.map(([low, high], i) => Number(clamp(low + shares[i] * (high - low), [low, high]).toPrecision(4)));
  }

  // At most once a frame.
  function follow(event) {
    if (!isDragging) return;
    last = placeOf(event);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; if (isDragging) moved(last, true); });
  }

  function grab(event) {
    const isHandle = event.target === handle;
    // A finger scrolls the page, unless it is on the handle.
    if (!race || event.button !== 0 || (event.pointerType === "touch" && !isHandle)) return;
    event.preventDefault();
    isDragging = true;
    map.setPointerCapture(event.pointerId);
    last = isHandle ? null : placeOf(event);
    if (last) moved(last, true);
  }

  function release() {
    if (!isDragging) return;
    isDragging = false;
    if (last) moved(last, false);
  }

  map.addEventListener("pointerdown", grab);
  map.addEventListener("pointermove", follow);
  map.addEventListener("pointerup", release);
  map.addEventListener("pointercancel", release);
  map.addEventListener("click", (event) => {
    if (race && event.pointerType === "touch" && event.target !== handle) moved(placeOf(event), false);
  });
  for (const number of numbers) {
    number.onchange = () => {
      const typed = numbers.map((each, i) => (each.value === "" ? NaN : clamp(Number(each.value), race.region[i])));
      if (typed.every(Number.isFinite)) moved(typed, false);
    };
  }

  return (shown, start) => {
    race = shown.paths ? null : shown;
    handle.hidden = !race;
    map.classList.toggle("still", !race);
    const { l, r, t, b } = MARGIN, [x, y] = shown.region.map(([low, high], i) => (start[i] - low) / (high - low));
    handle.style.left = `calc(${l}px + (100% - ${l + r}px) * ${x})`;
    handle.style.top = `calc(${t}px + (100% - ${t + b}px) * ${1 - y})`;
    numbers.forEach((number, i) => { number.value = Number(start[i].toPrecision(4)); });
  };
}
