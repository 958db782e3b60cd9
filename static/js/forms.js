// Choosing is enough: a file for a form that takes nothing else; a structure from a file or from the collection.

const OTHER = { structure_file: "crystal", crystal: "structure_file" };

document.addEventListener("change", ({ target }) => {
  const other = OTHER[target.id];
  if (other && target.value) document.getElementById(other).value = "";
  if (target.matches?.("[data-submits]") && target.files.length) target.form.requestSubmit();
});
