// The cluster's page stays up to date, and where the reader is stays as it is. Without this script
// there is the button to reload.
(() => {
  "use strict";
  const page = document.getElementById("gpuspawner-cluster");
  if (!page) return;
  const every = Number(page.dataset.every) * 1000;
  const old = Number(page.dataset.old) * 1000;
  let heard = Date.now();
  let timer = 0;
  let asking = null;

  const busy = () => {
    const selected = window.getSelection();
    const writes = page.contains(document.activeElement) && document.activeElement.matches("input");
    return writes || (selected && !selected.isCollapsed && page.contains(selected.anchorNode));
  };

  // A place by which the same thing is found again: its id, or its number among those alike.
  const placeOf = (element) => {
    if (!element || element === page || !page.contains(element)) return null;
    if (element.id) return () => document.getElementById(element.id);
    const section = element.closest("section[id]");
    const around = () => (section ? document.getElementById(section.id) : page);
    const number = [...around().querySelectorAll(element.localName)].indexOf(element);
    return () => around()?.querySelectorAll(element.localName)[number];
  };

  const taken = (fresh) => {
    const open = [...page.querySelectorAll("details[open]")].map((one) => one.id);
    const focused = placeOf(document.activeElement);
    const scrolled = [...page.querySelectorAll(".gpuspawner-scroll, .gpuspawner-manifest")].map(
      (one) => [one.scrollLeft, one.scrollTop],
    );
    page.replaceChildren(...fresh.childNodes);
    for (const id of open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    page.querySelectorAll(".gpuspawner-scroll, .gpuspawner-manifest").forEach((one, index) => {
      if (scrolled[index]) [one.scrollLeft, one.scrollTop] = scrolled[index];
    });
    focused?.()?.focus({ preventScroll: true });
  };

  const age = () => {
    const late = Date.now() - heard > old;
    page.classList.toggle("gpuspawner-is-late", late);
    const words = page.querySelector(".gpuspawner-late");
    if (words) words.hidden = !late;
  };

  const look = async () => {
    clearTimeout(timer);
    asking?.abort();
    const mine = (asking = new AbortController());
    const patience = setTimeout(() => mine.abort(), every);
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: mine.signal });
      // Signed out, or not allowed any more: nothing of it stays.
      if (answer.redirected || answer.status === 403) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(answer.statusText);
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(page.id);
      if (!fresh) throw new Error("not the page");
      if (!busy()) {
        taken(fresh);
        heard = Date.now();
      }
    } catch {
      // Said once it matters.
    } finally {
      clearTimeout(patience);
    }
    age();
    if (asking === mine && !document.hidden) timer = setTimeout(look, every * (0.9 + 0.2 * Math.random()));
  };

  page.addEventListener("click", (event) => {
    if (!event.target.closest("#gpuspawner-reload") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    look();
  });
  document.addEventListener("visibilitychange", () => {
    age();
    if (document.hidden) clearTimeout(timer);
    else look();
  });
  timer = setTimeout(look, every);
})();
