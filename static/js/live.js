// What an update of the page shows: a changed row glows once, a followed output stays at its end, and a banner says
// when updates are interrupted.

const versions = new Map();

const glow = () => {
  for (const row of document.querySelectorAll("tr[data-version]")) {
    const before = versions.get(row.id);
    if (before !== undefined && before !== row.dataset.version) {
      row.classList.add("changed");
      row.addEventListener("animationend", () => row.classList.remove("changed"), { once: true });
    }
    versions.set(row.id, row.dataset.version);
  }
};

const follow = () => {
  for (const tail of document.querySelectorAll("[data-tail]")) tail.scrollTop = tail.scrollHeight;
};

glow();
follow();
document.addEventListener("htmx:after:swap", glow);
document.addEventListener("htmx:after:swap", follow);

const banner = document.querySelector("[data-connection]");
document.addEventListener("htmx:sse:error", ({ detail }) => {
  if (detail.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  else banner.hidden = false;
});
document.addEventListener("htmx:sse:after:connection", () => { banner.hidden = true; });
