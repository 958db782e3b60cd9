// Last geometries of several jobs, superimposed, each in its own colour.

import { drawCell, library, lookAt, viewerIn } from "./structure.js";

const COLORS = ["#1f5fa6", "#a8261c", "#1a6b3c", "#7a5200", "#59625d", "#6a3d9a"];
const MOST = 6;

const trajectory = async (job) => {
  const answer = await fetch(`/api/v1/jobs/${job}/trajectory`);
  return answer.ok ? { job, ...await answer.json() } : null;
};

document.addEventListener("click", async ({ target }) => {
  const box = target.closest("[data-overlay]");
  if (!box || !target.closest("[data-show]")) return;
  const words = box.querySelector("[data-words]");
  const mol = await library(box.dataset.library);
  const { viewer, color } = viewerIn(mol, box.querySelector(".viewer"));
  const shown = [];
  const found = await Promise.all(JSON.parse(box.dataset.jobs).slice(0, MOST).map(trajectory));
  for (const { job, frames, dimension } of found.filter(Boolean)) {
    const { atoms, lattice } = frames.at(-1);
    const own = COLORS[shown.length % COLORS.length];
    const model = viewer.addModel();
    model.addAtoms(atoms.map(([elem, x, y, z]) => ({ elem, x, y, z, bonds: [], bondOrder: [] })));
    model.setStyle({}, { sphere: { scale: 0.22, color: own, opacity: 0.75 } });
    drawCell(viewer, lattice, dimension, shown.length ? own : color);
    shown.push(job);
  }
  words.textContent = shown.length ? `Shown: ${shown.join(", ")}.` : "None of these jobs has a geometry.";
  if (shown.length) lookAt(viewer);
  box.dataset.drawn = shown.length;
});
