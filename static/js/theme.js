// Runs before the first paint: the chosen theme, and the mark that scripts run.
document.documentElement.classList.add("js");
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* storage is blocked: the system's theme stays */ }
