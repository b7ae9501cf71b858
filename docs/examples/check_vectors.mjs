// Bloop and some methods beside it in JavaScript, checked on the golden vectors.
//
//     bloop-ref vectors --out vectors
//     node check_vectors.mjs vectors/*-vectors.json > outputs.txt    # 1 if an output is wrong
//     bloop-ref verify --vectors outputs.txt                         # the same verdict, explained
//
// To check an implementation of your own, put it in the place of one of the solvers. The numbers
// are read from "decimal", so that no hexadecimal ones have to be parsed.
import { readFileSync } from "node:fs";

const add = (x, c, y) => x.map((v, i) => v + c * y[i]);
const times = (c, x) => x.map((v) => c * v);
const sum = (vectors) => vectors.reduce((x, y) => add(x, 1, y));
const dot = (x, y) => x.reduce((total, v, i) => total + v * y[i], 0);
const norm = (x) => Math.hypot(...x);
const largest = (x) => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;

// <u, v> / ||v||^2, 0 for v = 0, as a share of v over its largest entry: nothing overflows.
function share(u, v) {
  const [a, b] = [largest(u), largest(v)];
  const [x, y] = [u.map((t) => t / a), v.map((t) => t / b)];
  return dot(y, y) > 0 ? { c: (dot(x, y) / dot(y, y)) * a, y, b } : { c: 0, y, b };
}

// The part of u that is orthogonal to v.
function off(u, v) {
  const { c, y } = share(u, v);
  return add(u, -c, y);
}

// Algorithm 1: d = g_main + lam pi(g_aux; ema), then ema <- (1 - rho) ema + rho g_main.
function bloop(lam, rho, ema, mains, auxes) {
  const outputs = { direction: [], new_ema: [] };
  mains.forEach((main, t) => {
    outputs.direction.push(add(main, lam, off(auxes[t], ema)));
    ema = add(times(1 - rho, ema), rho, main);
    outputs.new_ema.push(ema);
  });
  return outputs;
}

// PCGrad: every gradient is projected off those that it conflicts with, in the order given.
function pcgrad(g, { lam, orders }) {
  const parts = g.map((part, i) => {
    const order = orders.slice(i * (g.length - 1), (i + 1) * (g.length - 1));
    return order.reduce((x, j) => (dot(x, g[j]) < 0 ? off(x, g[j]) : x), part);
  });
  return add(parts[0], lam, sum(parts.slice(1)));
}

// The dynamic barrier: d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m.
function dynamicBarrier([m, a], { lam }) {
  const { c, b } = share(a, m);
  return add(times(lam, a), Math.max(1 - (lam * c) / b, 0), m);
}

// Steps from the gradients and the options to a direction; what is not here is left out.
const methods = {
  mixed: (g, { lam }) => add(g[0], lam, sum(g.slice(1))),
  a_gem: ([m, a]) => (dot(m, a) < 0 ? off(m, a) : m),
  dynamic_barrier: dynamicBarrier,
  pcgrad,
};

function solve(kind, inputs) {
  const flat = (vector) => vector.flat(2); // leaf by leaf, a complex entry as two numbers
  if (kind === "step" || kind === "trajectory") {
    const rows = (vectors) => (kind === "step" ? [vectors] : vectors).map(flat);
    const { lam, rho, ema, g_main, g_aux } = inputs;
    return bloop(lam, rho, flat(ema), rows(g_main), rows(g_aux));
  }
  return methods[kind] && { direction: [methods[kind](inputs.gradients.map(flat), inputs)] };
}

let failed = 0;
console.log("format 1");
for (const path of process.argv.slice(2)) {
  for (const { id, kind, decimal } of JSON.parse(readFileSync(path, "utf8")).cases) {
    const outputs = solve(kind, decimal.inputs);
    if (!outputs) continue;
    console.log(`case ${id}`);
    for (const [name, found] of Object.entries(outputs)) {
      const required = kind === "step" ? [decimal.outputs[name]] : decimal.outputs[name];
      const bounds = [decimal.tolerances[name]].flat();
      found.forEach((vector, t) => {
        console.log(name, ...vector);
        const distance = norm(add(vector, -1, required[t].flat(2)));
        if (distance <= bounds[t]) return; // a NaN is wrong, too
        console.error(`wrong: ${id}`);
        failed = 1;
      });
    }
  }
}
process.exitCode = failed;
