// The surfaces that have a name: their loss and gradient, operation for operation as in catalog.py.
"use strict";

const STEEPNESS = 100, COS = 0.8660254037844387, SIN = 0.49999999999999994;  // as NumPy has those of 30 degrees
const TURN = 2 * Math.PI;

function bealeTerms(x, y) {
  return [[1.5, y, 1], [2.25, y * y, 2 * y], [2.625, y * y * y, 3 * (y * y)]].map(
    ([c, power, slope]) => [c - x + x * power, power - 1, x * slope],
  );
}

const along = (x, y) => COS * x + SIN * y;
const across = (x, y) => COS * y - SIN * x;

const SURFACES = {
  rosenbrock: {
    value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
  },
  beale: {
    value: (x, y) => bealeTerms(x, y).reduce((sum, [t]) => sum + t * t, 0),
    gradient: (x, y) => bealeTerms(x, y).reduce(([a, b], [t, dx, dy]) => [a + 2 * t * dx, b + 2 * t * dy], [0, 0]),
  },
  himmelblau: {
    value: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    gradient: (x, y) => {
      const a = x * x + y - 11, b = x + y * y - 7;
      return [4 * x * a + 2 * b, 2 * a + 4 * y * b];
    },
  },
  rastrigin: {
    value: (x, y) => 20 + x * x + y * y - 10 * (Math.cos(TURN * x) + Math.cos(TURN * y)),
    gradient: (x, y) => [x, y].map((at) => 2 * at + 20 * Math.PI * Math.sin(TURN * at)),
  },
  saddle: {
    value: (x, y) => STEEPNESS / 4 * (x * x) + y * y * y * y / 4 - y * y / 2,
    gradient: (x, y) => [STEEPNESS / 2 * x, y * y * y - y],
  },
  bowl: {
    value: (x, y) => (x * x + STEEPNESS * (y * y)) / 2,
    gradient: (x, y) => [x, STEEPNESS * y],
  },
  plateau: {
    value: (x, y) => 1 - Math.exp(-(x * x + y * y) / 2),
    gradient: (x, y) => {
      const hole = Math.exp(-(x * x + y * y) / 2);
      return [x * hole, y * hole];
    },
  },
  ravine: {
    value: (x, y) => SURFACES.bowl.value(along(x, y), across(x, y)),
    gradient: (x, y) => {
      const [a, b] = SURFACES.bowl.gradient(along(x, y), across(x, y));
      return [COS * a - SIN * b, SIN * a + COS * b];
    },
  },
  "noisy-bowl": {
    value: (x, y) => (x * x + 10 * (y * y)) / 2,
    gradient: (x, y) => [x, 10 * y],
  },
};
