// Live curves of a job: log |ΔE| of the SCF, energy and gradient of the optimisation. Only new points are asked for.

const box = document.querySelector("[data-curves]");
const job = box?.dataset.job;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const known = {
  scf: -1, cycle: [], delta: [], gap: [],
  number: [], run: [], energy: [], enthalpy: [], max_gradient: [], rms_gradient: [],
};
const plots = {};
let asking = false;
let again = false;

const axis = (label, more = {}) => ({
  label,
  stroke: css("--quiet"),
  grid: { stroke: css("--line"), width: 1 },
  ticks: { stroke: css("--line") },
  labelSize: 22,
  font: "12px system-ui",
  ...more,
});
const powers = (_, __, low, high) => {
  const found = [];
  for (let n = Math.ceil(Math.log10(low) - 1e-9); n <= Math.log10(high) + 1e-9; n += 1) found.push(10 ** n);
  return found;
};
const power = (value) => {
  if (value == null || Math.abs(Math.log10(value) % 1) >= 1e-9) return "";
  return `1e${Math.round(Math.log10(value))}`;
};

// Where no pointer is over a plot, its legend tells the newest values.
const newest = (plot) => {
  if (plot.cursor.idx == null) plot.setLegend({ idx: plot.data[0].length - 1 });
};

const small = (_, value) => value?.toExponential(2) ?? "–";

// A plot over whole numbers; dragging across it zooms, a double click shows all again.
const make = (place, series, axes, scales, data) => new window.uPlot({
  width: Math.min(704, place.clientWidth || 640),
  height: 260,
  cursor: { drag: { x: true, y: false } },
  legend: { live: true },
  hooks: { setCursor: [newest], setData: [newest], ready: [newest] },
  scales: { x: { time: false, range: (_, low, high) => [low, Math.max(high, low + 1)] }, ...scales },
  axes,
  series,
}, data, place);

// A limit is a line of its own, where the output tells it.
const limit = (label, value, dash) => {
  if (value == null) return [];
  return [{ label, stroke: css("--good"), dash, value: small, points: { show: false } }];
};
const spans = (value, length) => (value == null ? [] : [Array(length).fill(value)]);
// A logarithmic axis knows neither zero nor a single value.
const logRange = (_, low, high) => {
  const from = Math.floor(Math.log10(Math.max(low || 1e-12, 1e-14)));
  const to = Math.ceil(Math.log10(Math.max(high || 1, 1e-13)));
  return [10 ** from, 10 ** Math.max(to, from + 1)];
};

const show = (name, series, axes, scales, data) => {
  const place = box.querySelector(`[data-plot="${name}"]`);
  const empty = !data[1].some((value) => value != null);
  place.closest("figure").hidden = empty;
  if (empty) return;
  const drawn = plots[name]?.series;
  if (drawn?.length !== series.length || drawn[1].label !== series[1].label) {
    plots[name]?.destroy();
    delete plots[name];
  }
  if (plots[name]) plots[name].setData(data);
  else plots[name] = make(place, series, axes, scales, data);
  place.dataset.points = data[0].length;
};

const logAxis = (label, more = {}) => axis(label, {
  values: (_, ticks) => ticks.map(power),
  splits: powers,
  size: 64,
  ...more,
});
const LOG = { y: { distr: 3, range: logRange } };

const drawCycles = (tolerance) => {
  const sizes = known.delta.map((value) => (value == null || value === 0 ? null : Math.abs(value)));
  show("scf", [
    { label: "cycle" },
    {
      label: "|ΔE| / Ha",
      stroke: css("--accent"),
      width: 1.5,
      value: small,
      points: { show: known.cycle.length < 200 },
    },
    ...limit("TOLDEE", tolerance, [6, 4]),
  ], [
    axis("SCF cycle", { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }),
    logAxis("|ΔE| / Ha"),
  ], LOG, [known.cycle, sizes, ...spans(tolerance, known.cycle.length)]);
};

const drawPoints = (threshold) => {
  const points = axis("point", { incrs: [1, 2, 5, 10, 20, 50, 100] });
  // Under an external pressure the optimisation minimises the enthalpy: the two are never drawn as one curve.
  // Each of several volumes has an optimisation of its own: the present one is drawn.
  const from = known.run.indexOf(known.run.at(-1));
  const of = (column) => column.slice(Math.max(0, from));
  const [name, values] = known.enthalpy.some((value) => value != null) ? ["H", known.enthalpy] : ["E", known.energy];
  const title = name === "H" ? "Enthalpy" : "Energy";
  box.querySelector('[data-plot="energy"]').previousElementSibling.textContent = `${title} along the optimisation`;
  show("energy", [
    { label: "point" },
    {
      label: `${name} / Ha`,
      stroke: css("--accent"),
      width: 1.5,
      points: { show: true },
      value: (_, value) => value?.toFixed(8) ?? "–",
    },
  ], [
    points,
    axis(`${name} / Ha`, { size: 96, values: (_, ticks) => ticks.map((value) => value.toFixed(5)) }),
  ], {}, [of(known.number), of(values)]);
  show("gradient", [
    { label: "point" },
    { label: "max gradient", stroke: css("--bad"), width: 1.5, value: small, dash: [6, 3], points: { show: true } },
    { label: "RMS gradient", stroke: css("--accent"), width: 1.5, value: small, points: { show: true } },
    ...limit("threshold (RMS)", threshold, [3, 3]),
  ], [
    points,
    logAxis("gradient / (Ha/bohr)"),
  ], LOG, [
    of(known.number), of(known.max_gradient), of(known.rms_gradient), ...spans(threshold, of(known.number).length),
  ]);
};

const draw = (found) => {
  drawCycles(found.tolerance);
  drawPoints(found.thresholds?.rms_gradient);
};

const take = (found) => {
  if (found.scf) {
    if (found.scf.index !== known.scf || found.scf.since === 0) {
      known.scf = found.scf.index;
      for (const name of ["cycle", "delta", "gap"]) known[name] = [];
    }
    for (const name of ["cycle", "delta", "gap"]) known[name].push(...found.scf[name]);
  }
  for (const name of ["number", "run", "energy", "enthalpy", "max_gradient", "rms_gradient"]) {
    known[name].length = found.points.since;
    known[name].push(...found.points[name]);
  }
};

// One request at a time; what happens meanwhile is asked for by the next.
const update = async () => {
  if (asking) { again = true; return; }
  asking = true;
  try {
    // The newest point has no energy when it begins: it is asked for once more.
    const points = Math.max(0, known.number.length - 1);
    const query = new URLSearchParams({ scf: known.scf, since: known.cycle.length, points });
    const answer = await fetch(`/api/v1/jobs/${job}/convergence?${query}`);
    if (answer.ok) {
      const found = await answer.json();
      take(found);
      box.hidden = !known.cycle.length && !known.number.length;
      if (!box.hidden) draw(found);
    }
  } catch { /* the next event tries again */ }
  asking = false;
  if (again) { again = false; await update(); }
};

if (box) {
  document.body.addEventListener("cd-progress", update);
  document.body.addEventListener("cd-job", update);
  document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
    for (const name of Object.keys(plots)) { plots[name].destroy(); delete plots[name]; }
    requestAnimationFrame(update);
  });
  update();
}
