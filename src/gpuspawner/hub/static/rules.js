// An edit of the rules that is not saved is not lost by a link or by closing the window without a
// question. Without this script there is none.
(() => {
  "use strict";
  const form = document.getElementById("draft");
  if (!form) return;
  const began = new Set();
  let leaves = false;

  // What is written in a field is a part of the draft as soon as it is there.
  form.addEventListener("input", (event) => began.add(event.target));
  const isUnsaved = () =>
    "unsaved" in form.dataset ||
    [...began].some((field) =>
      field.options
        ? [...field.options].some((option) => option.selected !== option.defaultSelected)
        : field.value !== field.defaultValue,
    );

  document.addEventListener("submit", () => (leaves = true));
  document.getElementById("discard")?.addEventListener("click", (event) => {
    leaves = !(event.ctrlKey || event.metaKey || event.shiftKey);
  });
  window.addEventListener("pageshow", () => (leaves = false));
  window.addEventListener("beforeunload", (event) => {
    if (!leaves && isUnsaved()) event.preventDefault();
  });
})();
