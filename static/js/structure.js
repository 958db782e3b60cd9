// Drawing structures: the library is loaded when somebody looks, the cell is drawn along its periodic directions.

let loading;
export const library = (address) => loading ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = address;
  script.addEventListener("load", () => resolve(window.$3Dmol));
  script.addEventListener("error", reject);
  document.head.append(script);
});

// The edges of the cell along its periodic directions.
export const edges = (lattice, dimension) => {
  const at = (corner) => [0, 1, 2].reduce(
    (sum, axis) => {
      const [x, y, z] = lattice[axis].map((part) => corner[axis] * part);
      return { x: sum.x + x, y: sum.y + y, z: sum.z + z };
    },
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

export const STYLE = { sphere: { scale: 0.3, colorscheme: "Jmol" } };

// A fresh viewer in `place`, in the page's colours.
export const viewerIn = (mol, place) => {
  place.classList.add("open");
  const style = getComputedStyle(place);
  const viewer = mol.createViewer(place, { backgroundColor: style.getPropertyValue("--surface").trim() });
  return { viewer, color: style.getPropertyValue("--quiet").trim() };
};

export const drawCell = (viewer, lattice, dimension, color) => {
  for (const [start, end] of edges(lattice, dimension)) viewer.addLine({ start, end, color });
};

export const lookAt = (viewer) => {
  viewer.zoomTo();
  viewer.rotate(-70, "x");
  viewer.rotate(10, "y");
  viewer.render();
};
