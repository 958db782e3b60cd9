// The composer: a field in focus lights up its lines, a line under the pointer explains itself, the structure is drawn.

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
document.addEventListener("htmx:after:swap", () => { if (fields.contains(document.activeElement)) lightOf(document.activeElement); });

// The line under the pointer says what its keyword means.
document.addEventListener("mouseover", ({ target }) => {
  const line = target.closest?.("#preview .line");
  const place = document.querySelector("[data-explain]");
  if (line && place) place.textContent = line.title;
});

// The structure is drawn when somebody looks at it; the library is loaded then.
let drawing;
let drawn = "";
const library = (address) => drawing ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = address;
  script.onload = () => resolve(window.$3Dmol);
  script.onerror = reject;
  document.head.append(script);
});

const draw = async () => {
  const place = document.getElementById("viewer");
  if (!place || !document.getElementById("tab-structure").checked) return;
  const wanted = place.dataset.structure;
  if (wanted === drawn && place.querySelector("canvas")) return;
  drawn = wanted;
  const mol = await library(place.dataset.library);
  const { lattice, atoms, dimension } = JSON.parse(wanted);
  const style = getComputedStyle(place);
  const viewer = mol.createViewer(place, { backgroundColor: style.getPropertyValue("--surface").trim() });
  const model = viewer.addModel();
  model.addAtoms(atoms.map(([elem, x, y, z]) => ({ elem, x, y, z, bonds: [], bondOrder: [] })));
  model.setStyle({}, { sphere: { scale: 0.3, colorscheme: "Jmol" } });
  const color = style.getPropertyValue("--quiet").trim();
  for (const [start, end] of edges(lattice, dimension)) viewer.addLine({ start, end, color });
  viewer.zoomTo();
  viewer.rotate(-70, "x");
  viewer.rotate(10, "y");
  viewer.render();
};

// The edges of the cell along its periodic directions.
const edges = (lattice, dimension) => {
  const at = (corner) => [0, 1, 2].reduce(
    (sum, axis) => ({ x: sum.x + corner[axis] * lattice[axis][0], y: sum.y + corner[axis] * lattice[axis][1], z: sum.z + corner[axis] * lattice[axis][2] }),
    { x: 0, y: 0, z: 0 },
  );
  const found = [];
  for (let corner = 0; corner < 8; corner += 1) {
    const bits = [corner & 1, (corner >> 1) & 1, (corner >> 2) & 1];
    if (bits.some((bit, axis) => bit && axis >= dimension)) continue;
    for (let axis = 0; axis < dimension; axis += 1) {
      if (!bits[axis]) found.push([at(bits), at(bits.map((bit, other) => (other === axis ? 1 : bit)))]);
    }
  }
  return found;
};

document.querySelector(".tabs").addEventListener("change", draw);
document.addEventListener("htmx:after:swap", draw);

// Choosing a file to upload fills its field by an answer of its own; a look at the form in between would empty it again.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceEvent, sourceElement } = event.detail.ctx;
  if (sourceElement === fields && sourceEvent?.target?.type === "file") event.preventDefault();
});
