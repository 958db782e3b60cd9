// Drawing structures: the library is loaded when somebody looks, the cell is drawn along its periodic directions.

let loading;
export const library = (address) => loading ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = address;
  script.onload = () => resolve(window.$3Dmol);
  script.onerror = reject;
  document.head.append(script);
});

// The edges of the cell along its periodic directions.
export const edges = (lattice, dimension) => {
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
