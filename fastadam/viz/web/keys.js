// The keys of the page: they move the race wherever the focused control has no use for them.
"use strict";

const LEAP = 10;  // steps, with Shift

// Keys that the focused control uses itself are left to it.
function listenToKeys({ here, last, go, toggle }) {
  const slider = document.getElementById("step"), surface = document.getElementById("surface");

  // After a choice by mouse or finger, and after that of a surface, keys move the race again.
  function handBack(select) {
    let byPointer = false;
    select.addEventListener("pointerdown", () => { byPointer = true; });
    select.addEventListener("keydown", () => { byPointer = false; });
    select.addEventListener("change", () => { if (byPointer || select === surface) slider.focus(); });
  }

  for (const select of document.querySelectorAll("select")) handBack(select);

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { tagName, type } = event.target;
    const isStep = event.target === slider;
    const ownsSpace = type !== "range" && ["BUTTON", "SELECT", "INPUT"].includes(tagName);
    const ownsArrows = tagName === "SELECT" || ["range", "radio", "number"].includes(type);
    const leap = event.shiftKey ? LEAP : 1;
    const targets = { ArrowLeft: here() - leap, ArrowRight: here() + leap, Home: 0, End: last() };
    if (event.key === " " && !ownsSpace) toggle();
    else if (event.key in targets && (!ownsArrows || (isStep && event.shiftKey))) go(targets[event.key]);
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", press);
}
