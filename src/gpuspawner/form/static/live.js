// Keeps the spawn form true while it is open. Without it the form is as of when it was loaded.
import { announcing } from "./live/announcing.js";
import { cardsOf, enable, show, take } from "./live/cards.js";
import { connection } from "./live/connection.js";
import { fresh, noticing, reloading, warn } from "./live/notices.js";
import { durations, filled } from "./words.js";

const SILENCE = 20000; // In milliseconds, as all. The hub says something each 15 s.
const WHEN_SEEN_AGAIN = 8000; // What a page showed when it was hidden long ago is believed no longer.
const HIDDEN_FOR = 30000;

function keepTrue(page) {
  const words = page.dataset;
  const form = page.closest("form");
  const age = document.getElementById("gpuspawner-age");
  const news = document.getElementById("gpuspawner-news");
  const inWords = durations(page.closest("[lang]")?.lang || undefined);
  const cards = cardsOf(page);
  const { say, speakSoon } = announcing(cards, words, news);
  const notice = noticing(page, news, say);
  const { start, stop, since } = connection(page, hear, refused);

  let known = { state: words.state, age: words.age === undefined ? null : Number(words.age) };
  let heardAt = performance.now();
  let isAway = false;
  let isFailed = false;

  // --- What is shown ---

  function silentFor() {
    return (performance.now() - heardAt) / 1000;
  }

  function doubt() {
    if (isAway) return filled(words.wordsAway, inWords(silentFor()));
    return isFailed ? words.wordsFailed || "" : null;
  }

  function showAll() {
    for (const card of cards.values()) show(card, doubt(), words.wordsGone || "");
    warn(cards, words, form, notice, !isAway && !isFailed);
  }

  function showAge() {
    if (!age) return;
    const seconds = known.age === null ? 0 : known.age + silentFor();
    let template = known.state === "live" ? words.wordsChecked : words.wordsStale;
    if (known.age === null) template = words.wordsNever;
    if (known.state === "denied") template = words.wordsDenied;
    const text = filled(template, inWords(seconds));
    if (text && age.textContent !== text) age.textContent = text;
  }

  // --- What the hub says ---

  function hear(event) {
    heardAt = performance.now();
    if (event.over) {
      stop();
      window.location.assign(fresh());
      return;
    }
    if (event.failed) {
      isFailed = true;
      notice("failed", event.failed);
    }
    if (event.state) known = { state: event.state, age: event.age };
    if (event.cards) hearOfCards(event);
    if (isAway) {
      isAway = false;
      say([words.wordsBack || ""]);
    }
    showAll();
    showAge();
  }

  function hearOfCards(event) {
    take(cards, event.cards, event.all);
    if (event.catalog === words.catalog) notice("changed");
    else notice("changed", ...reloading(words.wordsCatalog || "", words));
    isFailed = false;
    notice("failed");
    speakSoon();
  }

  function refused() {
    isFailed = true;
    notice("refused", ...reloading(words.wordsRefused || "", words));
    showAll();
  }

  // --- Time, and whether anybody looks ---

  function tick() {
    if (document.hidden) return;
    showAge();
    const startedAt = since();
    if (startedAt === null) return;
    const patience = startedAt - heardAt > SILENCE ? WHEN_SEEN_AGAIN : SILENCE;
    if (performance.now() - Math.max(heardAt, startedAt) < patience) return;
    if (!isAway) say([words.wordsAwayNews || ""]);
    isAway = true;
    showAll();
  }

  let hiding = 0;

  function look() {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(stop, HIDDEN_FOR);
    else start();
  }

  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", look);
  form?.addEventListener("submit", stop);
  page.addEventListener("change", showAll);
  // What had the focus when it was to be disabled is disabled now.
  page.addEventListener("focusout", () => setTimeout(() => cards.forEach(enable)));
  look();
}

const page = document.getElementById("gpuspawner");
if (page?.dataset.liveUrl) keepTrue(page);
