// The composer: a field in focus lights up its lines, a line under the pointer explains itself, the structure is drawn.

import { STYLE, drawCell, library, lookAt, viewerIn } from "./structure.js";

const fields = document.getElementById("fields");

// A field in focus lights up what it writes.
const light = (names) => {
  for (const line of document.querySelectorAll("#preview .line")) {
    line.classList.toggle("lit", names.includes(line.dataset.part) && line.dataset.part !== "");
  }
};
const lightOf = (element) => light(element?.closest?.("[data-lights]")?.dataset.lights.split(" ") ?? []);
fields.addEventListener("focusin", (event) => lightOf(event.target));
fields.addEventListener("focusout", () => light([]));
document.addEventListener("htmx:after:swap", () => {
  if (fields.contains(document.activeElement)) lightOf(document.activeElement);
});

// The line under the pointer says what its keyword means.
document.addEventListener("mouseover", ({ target }) => {
  const line = target.closest?.("#preview .line");
  const place = document.querySelector("[data-explain]");
  if (line && place) place.textContent = line.title;
});

// The structure is drawn when somebody looks at it; the library is loaded then.
let drawn = "";
const draw = async () => {
  const place = document.getElementById("viewer");
  if (!place || !document.getElementById("tab-structure").checked) return;
  const wanted = place.dataset.structure;
  if (wanted === drawn && place.querySelector("canvas")) return;
  drawn = wanted;
  const mol = await library(place.dataset.library);
  const { lattice, atoms, dimension } = JSON.parse(wanted);
  const { viewer, color } = viewerIn(mol, place);
  const model = viewer.addModel();
  model.addAtoms(atoms.map(([elem, x, y, z]) => ({ elem, x, y, z, bonds: [], bondOrder: [] })));
  model.setStyle({}, STYLE);
  drawCell(viewer, lattice, dimension, color);
  lookAt(viewer);
};

document.querySelector(".tabs").addEventListener("change", draw);
document.addEventListener("htmx:after:swap", draw);

// Choosing a file to upload fills its field by an answer of its own; a preview in between would empty it again.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceEvent, sourceElement } = event.detail.ctx;
  if (sourceElement === fields && sourceEvent?.target?.type === "file") event.preventDefault();
});
