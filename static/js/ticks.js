// The boxes of the list of jobs: arrow keys go from row to row, shift and a click select a range, a line counts them.

const BOX = "table.jobs input[name=id]";
const boxes = () => [...document.querySelectorAll(BOX)];
let last;

document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches?.(BOX)) return;
  const all = boxes();
  all[all.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (!event.target.matches?.(BOX)) return;
  const all = boxes();
  const [before, now] = [all.indexOf(last), all.indexOf(event.target)];
  if (event.shiftKey && before >= 0) {
    const range = all.slice(Math.min(before, now), Math.max(before, now) + 1);
    for (const box of range) box.checked = event.target.checked;
  }
  last = event.target;
  const count = all.filter((box) => box.checked).length;
  const place = document.querySelector("[data-ticked]");
  if (place) place.textContent = count ? `${count} selected:` : "Select jobs:";
});
