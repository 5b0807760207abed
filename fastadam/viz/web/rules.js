// The methods' steps, with the bits of the kernels (csrc/rules/): coefficients of a step in float64, elements in float32, each
// operation rounded once. Rounding a float64 result to float32 gives what float32 arithmetic does, for + - * / and the root.
"use strict";

const single = Math.fround;
const TINY = 2 ** -126;
const flush = (value) => (Math.abs(value) < TINY ? 0 : value);
const average = (decay, old, rest, value) => flush(single(single(decay * old) + single(rest * value)));
const squares = (decay, old, rest, g) => flush(single(single(decay * old) + single(single(rest * g) * g)));
const quotient = (above, square, eps) => single(above / single(single(Math.sqrt(square)) + eps));

// By repeated squaring, as in power.hpp.
function power(base, exponent) {
  let result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) if (exponent & 1) result *= base;
  return result;
}

function adam(options, t) {
  const { lr, eps, weight_decay = 0, amsgrad = false, bias_correction = true } = options;
  const [b1, b2] = options.betas.map(single), c1 = single(1 - b1), c2 = single(1 - b2);
  const [k1, k2] = bias_correction ? [1 - power(b1, t), 1 - power(b2, t)] : [1, 1];
  const a = single(lr * Math.sqrt(k2) / k1), e = single(eps * Math.sqrt(k2)), d = single(1 - lr * weight_decay);
  return (p, g, state) => {
    state.m = average(b1, state.m, c1, g);
    state.v = squares(b2, state.v, c2, g);
    state.largest = state.largest >= state.v ? state.largest : state.v;
    return single(single(d * p) - quotient(single(a * state.m), amsgrad ? state.largest : state.v, e));
  };
}

// For each optimizer, what makes the step number t out of its options: a function of parameter, gradient and state.
const RULES = {
  SGD({ lr, momentum = 0, nesterov = false }, t) {
    const a = single(lr), mu = single(momentum), b = t === 1 ? 0 : mu;
    return (p, g, state) => {
      if (mu) state.m = average(b, state.m, 1, g);
      const direction = !mu ? g : nesterov ? single(g + single(mu * state.m)) : state.m;
      return single(p - single(a * direction));
    };
  },
  Adagrad({ lr, eps }) {
    const a = single(lr), e = single(eps);
    return (p, g, state) => {
      state.v = squares(1, state.v, 1, g);
      return single(p - quotient(single(a * g), state.v, e));
    };
  },
  RMSprop({ lr, alpha, eps }) {
    const a = single(lr), b = single(alpha), c = single(1 - b), e = single(eps);
    return (p, g, state) => {
      state.v = squares(b, state.v, c, g);
      return single(p - quotient(single(a * g), state.v, e));
    };
  },
  Adam: adam,
  AdamW: adam,
};

// What happens inside a step, for one parameter, as in trajectory.py.
function inside(method, options, bias, t, g, moved, state) {
  const m = method.hasM ? state.m : g, v = method.hasV ? state.v : 1;
  let correctedM = method.options.nesterov ? g + single(options.momentum) * m : m;
  let correctedV = options.amsgrad ? state.largest : v;
  if (method.correctsBias && bias) {
    const [b1, b2] = options.betas.map(single);
    [correctedM, correctedV] = [correctedM / (1 - b1 ** t), correctedV / (1 - b2 ** t)];
  }
  const rate = method.hasV ? options.lr / (Math.sqrt(correctedV) + options.eps) : options.lr;
  return [g, m, v, correctedM, correctedV, moved, rate];
}

// The path of a method from a start. `noise` is that of each step, or missing. Quantities are those of `inside`, in its order.
function walk(surface, method, { start, steps, noise, lr, betas, bias }, quantities) {
  const options = { ...method.options, lr, ...(method.correctsBias ? { betas, bias_correction: bias } : {}) };
  const states = start.map(() => ({ m: 0, v: 0, largest: 0 })), rows = [];
  let place = start.map(single);
  const places = [place];
  for (let t = 1; t <= steps; t++) {
    const gradient = surface.gradient(...place).map((g, i) => single(g + (noise ? noise[t - 1][i] : 0)));
    const update = RULES[method.optimizer](options, t);
    const next = place.map((p, i) => update(p, gradient[i], states[i]));
    rows.push(next.map((p, i) => inside(method, options, bias, t, gradient[i], p - place[i], states[i])));
    places.push(place = next);
  }
  const known = (value) => (Number.isFinite(value) ? value : null);
  return {
    x: places.map(([x]) => known(x)), y: places.map(([, y]) => known(y)),
    loss: places.map((at) => known(surface.value(...at))),
    inside: Object.fromEntries(quantities.map((name, k) => [name, [0, 1].map((i) => rows.map((row) => known(row[i][k])))])),
  };
}
