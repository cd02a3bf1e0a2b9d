// Keeps the page of a start under way up to date. Without it the page loads itself again.
// It has no words of its own: they stand in the page, in the language of the start.
"use strict";

(function () {
  const page = document.getElementById("gpuspawner-pending");
  const steps = document.getElementById("gpuspawner-steps");
  const sentence = document.getElementById("gpuspawner-sentence");
  const said = document.getElementById("gpuspawner-said");
  const nothingSaid = document.getElementById("gpuspawner-nothing-said");
  const form = document.getElementById("gpuspawner-ways-out");
  const again = document.getElementById("gpuspawner-again");
  const RELOAD_AFTER = 3000; // All in milliseconds.
  const SILENCE = 4000;
  const POLL_EVERY = 2000;

  function inWords(standing) {
    return `, ${steps.getAttribute(`data-${standing.replace(" ", "-")}`)}`;
  }

  function show(now) {
    for (const { name, standing } of now) {
      const item = page.querySelector(`[data-step="${name}"]`);
      if (!item) continue;
      item.dataset.standing = standing;
      item.querySelector(".gpuspawner-standing").textContent = inWords(standing);
      if (standing === "current") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
  }

  function tell(isInLine) {
    page.toggleAttribute("data-is-in-line", isInLine);
    for (const item of page.querySelectorAll("[data-in-line]")) {
      const words = isInLine ? item.dataset.inLine : item.dataset.starting;
      if (item.textContent !== words) item.textContent = words;
    }
  }

  function list(lines) {
    said.replaceChildren(
      ...lines.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
    nothingSaid.hidden = lines.length > 0;
  }

  function fail() {
    page.classList.add("gpuspawner-failed");
    page.querySelector("h1").textContent = page.dataset.notStarted;
    document.getElementById("gpuspawner-note").hidden = true;
    const reached = page.querySelector('[aria-current="step"]');
    if (reached) {
      reached.removeAttribute("aria-current");
      reached.querySelector(".gpuspawner-standing").textContent = inWords("not done");
    }
    const hadFocus = form.contains(document.activeElement);
    form.hidden = true;
    again.hidden = false;
    if (hadFocus) again.querySelector("a").focus();
  }

  function say(words) {
    // A screen reader reads out what is set, so only what is new is.
    if (words && words !== sentence.textContent) sentence.textContent = words;
  }

  const source = new EventSource(page.dataset.progressUrl);
  let polling = 0;

  function stop() {
    source.close();
    clearInterval(polling);
    polling = 0;
    clearTimeout(silence);
  }

  source.onmessage = function (message) {
    clearTimeout(silence);
    const event = JSON.parse(message.data);
    if (event.ready) {
      stop();
      window.location.reload();
      return;
    }
    if (event.steps) {
      show(event.steps);
      tell(Boolean(event.is_in_line));
      list(event.said);
      say(event.message);
    }
    if (event.failed) {
      stop();
      say(event.message.replace(/^Spawn failed: /, ""));
      fail();
    }
  };

  // A stream that breaks off is opened again by the browser; one that is refused is over.
  source.onerror = function () {
    if (source.readyState === EventSource.CLOSED) {
      stop();
      setTimeout(() => window.location.reload(), RELOAD_AFTER);
    }
  };

  // The hub says something at once. Where nothing comes, a proxy on the way keeps the stream back
  // until it ends; then the page is asked for again and again.
  const silence = setTimeout(function () {
    source.close();
    polling = setInterval(poll, POLL_EVERY);
    poll();
  }, SILENCE);

  async function poll() {
    let other;
    try {
      // Not followed: it leads to the server, whose sign-in is for pages and not for scripts.
      const answer = await fetch(window.location.href, { redirect: "manual" });
      const text = answer.type === "opaqueredirect" ? "" : await answer.text();
      other = new DOMParser().parseFromString(text, "text/html").getElementById(page.id);
    } catch {
      return; // The hub is away for a moment.
    }
    if (!polling) return;
    if (!other) {
      stop();
      window.location.reload();
      return;
    }
    show(
      Array.from(other.querySelectorAll("[data-step]"), (item) => ({
        name: item.dataset.step,
        standing: item.dataset.standing,
      })),
    );
    tell(other.hasAttribute("data-is-in-line"));
    list(Array.from(other.querySelectorAll("#gpuspawner-said li"), (item) => item.textContent));
    say(other.querySelector("#gpuspawner-sentence").textContent);
  }

  form.addEventListener("submit", function () {
    stop();
    const isInLine = page.hasAttribute("data-is-in-line");
    say(isInLine ? page.dataset.leaving : page.dataset.cancelling);
    // After the form was sent: a disabled button's value would not be part of it.
    setTimeout(function () {
      for (const button of form.querySelectorAll("button")) button.disabled = true;
    });
  });
})();
