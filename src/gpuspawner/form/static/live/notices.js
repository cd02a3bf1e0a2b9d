// What is said beside the cards: below them, so that nothing moves under a pointer.
import { filled } from "../words.js";
import { selected } from "./cards.js";

// Gives what puts a notice of that name into the page, or, without parts, takes it away.
export function noticing(page, news, say) {
  const notices = new Map();

  return function notice(name, ...parts) {
    let element = notices.get(name);
    if (!element && !parts.length) return;
    if (!element) {
      element = document.createElement("p");
      element.className = "gpuspawner-notice";
      element.id = `gpuspawner-${name}`;
      notices.set(name, element);
      if (news) news.before(element);
      else page.append(element);
    }
    const text = parts.map((part) => part.textContent ?? part).join("");
    const isNews = text && (element.hidden || element.textContent !== text);
    element.hidden = !parts.length;
    if (!isNews) return;
    element.replaceChildren(...parts);
    // That of the selected card is said with what else changed of the cards.
    if (name !== "selected") say([text]);
  };
}

// The address of this page, loaded anew.
export function fresh() {
  // Not all that is in the address bar: to JupyterHub's own page a query is an order to start.
  const { pathname, search } = window.location;
  return pathname.endsWith("/gpuspawner/choose") ? pathname + search : pathname;
}

// The parts of a notice that ends in a link to load the page again.
export function reloading(text, words) {
  const link = document.createElement("a");
  link.href = fresh();
  link.textContent = words.wordsReload || "";
  return [`${text} `, link];
}

// Says that what is selected can be started no more, where that is known.
export function warn(cards, words, form, notice, isKnown) {
  const card = selected(cards);
  // It was so when the page was loaded.
  const none = document.getElementById("gpuspawner-none");
  if (none) none.hidden = [...cards.values()].some((each) => each.canChoose);
  const lost = card && !card.canChoose && isKnown;
  const text = lost ? filled(words.wordsSelected, card) : "";
  // Beside the button, which is always in sight; a page of the operator's own has no such place.
  const place = document.getElementById("gpuspawner-warning");
  form?.classList.toggle("gpuspawner-lost", Boolean(lost));
  if (!place) {
    notice("selected", ...(text ? [text] : []));
    return;
  }
  place.hidden = !text;
  if (place.textContent !== text) place.textContent = text;
}
