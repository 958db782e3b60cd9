// Small behaviour of all pages: theme, copying, relative times, glowing rows, the state of the live stream.

document.addEventListener("click", async (event) => {
  const toggle = event.target.closest("[data-theme-toggle]");
  if (toggle) {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* stays for this page */ }
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    copy.title = "Copied";
  }
});

// "12 s ago" goes on counting between updates.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - new Date(time.dateTime)) / 1000));
    const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
    const text = `${Math.floor(seconds / length)} ${unit} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}, 1000);

// A row that an update changed glows once.
const versions = new Map();
const remember = () => {
  for (const row of document.querySelectorAll("tr[data-version]")) {
    const before = versions.get(row.id);
    if (before !== undefined && before !== row.dataset.version) {
      row.classList.add("changed");
      row.addEventListener("animationend", () => row.classList.remove("changed"), { once: true });
    }
    versions.set(row.id, row.dataset.version);
  }
};
remember();
document.addEventListener("htmx:after:swap", remember);

// The tail of an output stays at its end while the reader is there.
const follow = () => { for (const tail of document.querySelectorAll("[data-tail]")) tail.scrollTop = tail.scrollHeight; };
follow();
document.addEventListener("htmx:after:swap", follow);

const banner = document.querySelector("[data-connection]");
document.addEventListener("htmx:sse:error", (event) => {
  if (event.detail.status === 401) location.assign("/login?next=" + encodeURIComponent(location.pathname));
  else banner.hidden = false;
});
document.addEventListener("htmx:sse:after:connection", () => { banner.hidden = true; });

// A structure comes from a file or from the collection: choosing one lets go of the other.
document.addEventListener("change", ({ target }) => {
  const other = { structure_file: "crystal", crystal: "structure_file" }[target.id];
  if (other && target.value) document.getElementById(other).value = "";
});

// Choosing files is all that some forms need.
document.addEventListener("change", ({ target }) => { if (target.matches?.("[data-submits]") && target.files.length) target.form.requestSubmit(); });

// Arrow keys go from row to row; space ticks, as everywhere.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches?.("table.jobs input[name=id]")) return;
  const ticks = [...document.querySelectorAll("table.jobs input[name=id]")];
  ticks[ticks.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});

// Shift and a click tick a whole range of rows; the bar says how many are ticked.
let lastTick;
document.addEventListener("click", (event) => {
  if (!event.target.matches?.("table.jobs input[name=id]")) return;
  const ticks = [...document.querySelectorAll("table.jobs input[name=id]")];
  const [from, to] = [ticks.indexOf(lastTick), ticks.indexOf(event.target)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) for (const tick of ticks.slice(from, to + 1)) tick.checked = event.target.checked;
  lastTick = event.target;
  const count = ticks.filter((tick) => tick.checked).length;
  const place = document.querySelector("[data-ticked]");
  if (place) place.textContent = count ? `${count} selected:` : "Select jobs:";
});
