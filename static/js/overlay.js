// Last geometries of several jobs, one over the other, each in a colour of its own.

import { drawCell, library, lookAt, viewerIn } from "./structure.js";

const COLORS = ["#1f5fa6", "#a8261c", "#1a6b3c", "#7a5200", "#59625d", "#6a3d9a"];
const MOST = 6;

document.addEventListener("click", async ({ target }) => {
  const box = target.closest("[data-overlay]");
  if (!box || !target.closest("[data-show]")) return;
  const words = box.querySelector("[data-words]");
  const mol = await library(box.dataset.library);
  const { viewer, color } = viewerIn(mol, box.querySelector(".viewer"));
  const shown = [];
  for (const job of JSON.parse(box.dataset.jobs).slice(0, MOST)) {
    const answer = await fetch(`/api/v1/jobs/${job}/trajectory`);
    if (!answer.ok) continue;
    const { frames, dimension } = await answer.json();
    const { atoms, lattice } = frames.at(-1);
    const own = COLORS[shown.length % COLORS.length];
    const model = viewer.addModel();
    model.addAtoms(atoms.map(([elem, x, y, z]) => ({ elem, x, y, z, bonds: [], bondOrder: [] })));
    model.setStyle({}, { sphere: { scale: 0.22, color: own, opacity: 0.75 } });
    drawCell(viewer, lattice, dimension, shown.length ? own : color);
    shown.push(job);
  }
  words.textContent = shown.length ? `Shown: ${shown.join(", ")}.` : "None of these jobs has a geometry here.";
  if (shown.length) lookAt(viewer);
  box.dataset.drawn = shown.length;
});
