// The structure of a job: cell and supercell, the points of an optimisation, vibrations, surfaces of a cube file.

import { STYLE, drawCell, library, lookAt, viewerIn } from "./structure.js";

const state = new WeakMap();
const still = matchMedia("(prefers-reduced-motion: reduce)");

const get = async (path) => {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok) throw new Error(`${found.detail ?? answer.status} ${found.hint ?? ""}`);
  return found;
};

const tell = (box, words) => { box.querySelector("[data-words]").textContent = words; };

// The atoms of a frame, repeated along the periodic directions.
const repeated = ({ atoms, lattice, vectors }, dimension, count) => {
  let shifts = [[0, 0, 0]];
  for (const vector of lattice.slice(0, dimension)) {
    const steps = [...Array(count).keys()].map((n) => vector.map((part) => n * part));
    shifts = shifts.flatMap((shift) => steps.map((step) => shift.map((value, axis) => value + step[axis])));
  }
  return shifts.flatMap(([a, b, c]) => atoms.map(([elem, x, y, z], place) => {
    const [dx, dy, dz] = vectors?.[place] ?? [0, 0, 0];
    return { elem, x: x + a, y: y + b, z: z + c, dx, dy, dz, bonds: [], bondOrder: [] };
  }));
};

const open = async (box) => {
  if (state.has(box)) return state.get(box);
  tell(box, "Loading…");
  const mol = await library(box.dataset.library);
  const found = await get(`/api/v1/jobs/${box.dataset.job}/trajectory`);
  const { viewer, color } = viewerIn(mol, box.querySelector(".viewer"));
  const own = { mol, viewer, color, ...found, frame: found.frames.length - 1, mode: null, playing: 0, first: true };
  state.set(box, own);
  for (const part of box.querySelectorAll("[data-frames]")) part.hidden = found.frames.length < 2;
  const slider = box.querySelector("input[data-frames]");
  slider.max = found.frames.length - 1;
  slider.value = own.frame;
  return own;
};

const draw = async (box) => {
  const own = await open(box);
  const { viewer, dimension } = own;
  const count = Number(box.querySelector("[data-supercell]").value);
  const shown = own.mode ?? own.frames[own.frame];
  viewer.stopAnimate();
  viewer.removeAllModels();
  viewer.removeAllShapes();
  const atoms = repeated(shown, dimension, count);
  // Only a model that was read from text has the frames of a vibration; its last columns are displacements.
  const rows = atoms.map(({ elem, x, y, z, dx, dy, dz }) => `${elem} ${x} ${y} ${z} ${dx} ${dy} ${dz}`);
  const model = viewer.addModel(`${atoms.length}\n\n${rows.join("\n")}\n`, "xyz", { assignBonds: false });
  model.setStyle({}, STYLE);
  drawCell(viewer, shown.lattice, dimension, own.color);
  if (own.mode) {
    model.vibrate(12, 1, true, { radius: 0.08, color: own.color });
    if (!still.matches) viewer.animate({ loop: "backAndForth", interval: 60 });
    tell(box, `Mode ${own.mode.mode}: arrows show how far each atom moves, the farthest 1 Å.`);
  } else {
    const energy = shown.energy == null ? "" : `, ${shown.energy.toFixed(8)} Ha`;
    const point = `Point ${shown.point} of ${own.frames.at(-1).point}${energy}`;
    const size = shown.atoms.length;
    tell(box, own.frames.length > 1 ? `${point}; ${size} atoms.` : `${size} atoms in the cell.`);
  }
  await surface(box, own);
  if (own.first) lookAt(viewer);
  own.first = false;
  viewer.render();
  box.dataset.drawn = own.mode ? `mode ${own.mode.mode}` : `frame ${own.frame}`;
};

// Both signs of a density, potential or spin density.
const surface = async (box, own) => {
  const name = box.querySelector("[data-cube]")?.value;
  if (!name) return;
  if (own.cube?.name !== name) {
    own.cube = await get(`/api/v1/jobs/${box.dataset.job}/cubes/${name.split("/").map(encodeURIComponent).join("/")}`);
    own.volume = new own.mol.VolumeData(own.cube.cube, "cube");
    box.querySelector("[data-isovalue]").value = own.cube.value.toPrecision(3);
  }
  const value = Math.abs(Number(box.querySelector("[data-isovalue]").value)) || own.cube.value;
  own.viewer.addIsosurface(own.volume, { isoval: value, color: "#1f5fa6", opacity: 0.6 });
  own.viewer.addIsosurface(own.volume, { isoval: -value, color: "#a8261c", opacity: 0.6 });
  box.dataset.surface = name;
};

const tried = async (box, work) => {
  try { await work(); } catch (error) { tell(box, `Cannot draw this: ${error.message}`); }
};

document.addEventListener("click", async ({ target }) => {
  const box = target.closest("[data-viewer]") ?? document.querySelector("[data-viewer]");
  if (!box) return;
  if (target.closest("[data-show]")) {
    await tried(box, async () => {
      const own = await open(box);
      own.mode = null;
      await draw(box);
    });
  }
  const mode = target.closest("[data-mode]");
  if (mode) {
    box.scrollIntoView({ block: "nearest" });
    await tried(box, async () => {
      const own = await open(box);
      own.mode = await get(`/api/v1/jobs/${box.dataset.job}/modes/${mode.dataset.mode}`);
      await draw(box);
    });
  }
  if (target.closest("[data-play]")) {
    const own = await open(box);
    clearInterval(own.playing);
    own.mode = null;
    own.frame = 0;
    own.playing = setInterval(async () => {
      box.querySelector("input[data-frames]").value = own.frame;
      await draw(box);
      own.frame += 1;
      if (own.frame >= own.frames.length) { clearInterval(own.playing); own.frame = own.frames.length - 1; }
    }, Math.max(80, 4000 / own.frames.length));
  }
});

document.addEventListener("input", async ({ target }) => {
  const box = target.closest("[data-viewer]");
  if (!box || !target.matches("input[data-frames], [data-supercell], [data-cube], [data-isovalue]")) return;
  await tried(box, async () => {
    const own = await open(box);
    if (target.matches("input[data-frames]")) { own.frame = Number(target.value); own.mode = null; }
    await draw(box);
  });
});
