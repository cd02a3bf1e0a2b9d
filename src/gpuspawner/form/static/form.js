// What makes the form more comfortable; all of it can be done without.
import { filled } from "./words.js";

function comfort(form) {
  const words = form.dataset;
  const news = document.getElementById("gpuspawner-news");
  const cards = Array.from(form.querySelectorAll(".gpuspawner-card"));
  const radioOf = (slug) => document.getElementById(`gpuspawner-${slug}`);

  // The nearest alternative is a link to the form with that choice made: here it is made at once.
  form.addEventListener("click", function (event) {
    const button = event.target.closest("[data-choose]");
    if (!button) return;
    const radio = radioOf(button.dataset.choose);
    if (!radio || radio.disabled) return;
    event.preventDefault();
    find("");
    radio.checked = true;
    radio.dispatchEvent(new Event("change", { bubbles: true }));
    radio.focus({ preventScroll: true });
    radio.closest(".gpuspawner-card").scrollIntoView({ block: "nearest" });
  });

  // A link has the choices that are made within its card, too.
  function address(link) {
    const url = new URL(link.href);
    for (const control of link.closest(".gpuspawner-card").querySelectorAll("[data-option]"))
      url.searchParams.set(control.dataset.option, control.value);
    return url.pathname + url.search;
  }

  for (const link of form.querySelectorAll(".gpuspawner-link")) {
    link.addEventListener("click", async function (event) {
      link.href = address(link);
      if (event.ctrlKey || event.metaKey || event.shiftKey || !navigator.clipboard) return;
      event.preventDefault();
      try {
        await navigator.clipboard.writeText(link.href);
      } catch {
        window.location.assign(link.href);
        return;
      }
      say(link, words.wordsCopied);
    });
    const card = link.closest(".gpuspawner-card");
    card.addEventListener("change", () => (link.href = address(link)));
    link.href = address(link);
  }

  function say(link, text) {
    news.textContent = text;
    let said = link.nextElementSibling;
    if (!said) link.after((said = document.createElement("span")));
    said.setAttribute("aria-hidden", "true");
    said.textContent = text;
  }

  // What will be started, beside the button: the card may be out of sight.
  const chosen = document.getElementById("gpuspawner-chosen");
  function name() {
    const radio = form.querySelector("input[name=profile]:checked");
    chosen.textContent = radio ? radio.labels[0].textContent : "";
    chosen.hidden = !radio;
  }
  if (chosen) {
    form.addEventListener("change", name);
    window.addEventListener("pageshow", name);
    name();
  }

  // A browser may show the page again as it was left when it was sent: without its button.
  window.addEventListener("pageshow", function (event) {
    const button = document.querySelector("#spawn_form [type=submit]");
    if (event.persisted && button?.classList.contains("hidden")) window.location.reload();
  });

  // To load a page again that came of sending the form would send it again.
  if (document.querySelector(".spawn-error-msg"))
    window.history.replaceState(null, "", window.location.href);

  // Who follows a link wants to see what it chose.
  if (window.location.pathname.endsWith("/gpuspawner/choose"))
    form.querySelector(".gpuspawner-card:has(input:checked)")?.scrollIntoView({ block: "center" });

  const search = document.getElementById("gpuspawner-search");
  const query = document.getElementById("gpuspawner-query");
  const found = document.getElementById("gpuspawner-found");
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  // What is selected stays to be seen.
  function find(text) {
    if (!search) return;
    if (query.value !== text) query.value = text;
    const wanted = folded(text).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const said = folded(card.textContent);
      const isFound = wanted.every((word) => said.includes(word));
      card.hidden = !isFound && !card.querySelector("input:checked");
      shown += isFound;
    }
    for (const kind of form.querySelectorAll(".gpuspawner-kind"))
      kind.hidden = !kind.querySelector(".gpuspawner-card:not([hidden])");
    found.textContent = wanted.length
      ? filled(words.wordsFound, { shown, all: cards.length })
      : "";
  }

  if (search) {
    search.hidden = false;
    query.addEventListener("input", () => find(query.value));
    query.addEventListener("keydown", function (event) {
      // It would start a server.
      if (event.key === "Enter") event.preventDefault();
      if (event.key === "Escape") find("");
    });
    form.addEventListener("change", (event) => {
      if (event.target.name === "profile" && query.value) find(query.value);
    });
  }
}

const form = document.getElementById("gpuspawner");
if (form) comfort(form);
