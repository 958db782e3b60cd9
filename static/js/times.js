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
