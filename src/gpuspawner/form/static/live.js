// Keeps the spawn form true while it is open. Without it the form is as of when it was loaded.
"use strict";

(function () {
  const page = document.getElementById("gpuspawner");
  if (!page || !page.dataset.liveUrl) return;

  const FIRST = 4000; // All in milliseconds. A stream that says nothing for as long is kept back.
  const SILENCE = 20000; // The hub says something each 15 s.
  const POLL_EVERY = 5000;
  const POLL_AT_MOST_EVERY = 60000;
  const STREAM_AGAIN = 300000;
  const RECONNECT = 1000;
  const RECONNECT_AT_MOST = 30000;
  const HIDDEN_FOR = 30000;
  const WHEN_SEEN_AGAIN = 8000; // What a page showed when it was hidden long ago is believed no longer.
  const GATHER = 1000;
  const SPEAK_EVERY = 5000;

  const words = page.dataset;
  const form = page.closest("form");
  const age = document.getElementById("gpuspawner-age");
  const news = document.getElementById("gpuspawner-news");
  const language = page.closest("[lang]")?.lang || undefined;
  const ago = new Intl.RelativeTimeFormat(language);

  // What is known of each card, first from the page itself.
  const cards = new Map();
  for (const element of page.querySelectorAll("[data-profile]")) {
    const slug = element.dataset.profile;
    const radio = element.querySelector("input[name=profile]");
    cards.set(slug, {
      element,
      radio,
      now: document.getElementById(`gpuspawner-${slug}--now`),
      title: element.querySelector(`label[for="${radio.id}"]`)?.textContent.trim() || slug,
      html: document.getElementById(`gpuspawner-${slug}--now`).innerHTML,
      standing: element.dataset.standing,
      canChoose: !element.classList.contains("gpuspawner-off"),
      isGone: false,
    });
  }

  let known = { state: words.state, age: words.age === undefined ? null : Number(words.age) };
  let heardAt = performance.now();
  let startedAt = heardAt;
  let isAway = false;
  let isFailed = false;

  function filled(template, fields) {
    return (template || "").replace(/\{(\w+)\}/g, (whole, name) => fields[name] ?? whole);
  }

  function inWords(seconds) {
    const unit = seconds < 120 ? "second" : "minute";
    const number = Math.round(unit === "second" ? seconds : seconds / 60);
    const length = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
    return { ago: ago.format(-number, unit), duration: length.format(number) };
  }

  // --- What the cards show ---

  function unknown(text) {
    const sentence = document.createElement("p");
    sentence.className = "gpuspawner-sentence gpuspawner-unknown";
    const mark = document.createElement("span");
    mark.className = "gpuspawner-mark";
    mark.setAttribute("aria-hidden", "true");
    const said = document.createElement("span");
    said.textContent = text;
    sentence.append(mark, said);
    return [sentence];
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return [...template.content.childNodes];
  }

  function put(card, nodes) {
    const wanted = document.createElement("div");
    wanted.append(...nodes);
    if (wanted.innerHTML === card.now.innerHTML) return;
    const places = "a[href], button, [tabindex]";
    const focused = card.now.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? [...card.now.querySelectorAll(places)].indexOf(focused) : -1;
    card.now.replaceChildren(...wanted.childNodes);
    if (!focused) return;
    const next = card.now.querySelectorAll(places)[place];
    if (next) next.focus();
    else if (!card.radio.disabled) card.radio.focus();
    else {
      card.now.tabIndex = -1;
      card.now.focus();
    }
  }

  function enable(card) {
    // A disabled radio is not sent with the form, and what is disabled loses the focus.
    const may = card.canChoose || card.radio.checked;
    for (const control of [card.radio, ...card.element.querySelectorAll("[data-option]")]) {
      control.disabled = !may && control !== document.activeElement;
    }
  }

  function show(card) {
    const seconds = (performance.now() - heardAt) / 1000;
    const standing = isAway || isFailed ? "unknown" : card.standing;
    if (isAway) put(card, unknown(filled(words.wordsAway, inWords(seconds))));
    else if (isFailed) put(card, unknown(words.wordsFailed || ""));
    else if (card.isGone) put(card, unknown(words.wordsGone || ""));
    else put(card, parsed(card.html));
    if (card.element.dataset.standing !== standing) card.element.dataset.standing = standing;
    card.element.classList.toggle("gpuspawner-off", !card.canChoose);
    enable(card);
  }

  function showAll() {
    for (const card of cards.values()) show(card);
    warn();
  }

  function showAge() {
    if (!age) return;
    const seconds = known.age === null ? 0 : known.age + (performance.now() - heardAt) / 1000;
    let template = known.state === "live" ? words.wordsChecked : words.wordsStale;
    if (known.age === null) template = words.wordsNever;
    if (known.state === "denied") template = words.wordsDenied;
    const text = filled(template, inWords(seconds));
    if (text && age.textContent !== text) age.textContent = text;
  }

  // --- What is said beside them: below the cards, so that nothing moves under a pointer ---

  const notices = new Map();

  function notice(name, ...parts) {
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
  }

  function fresh() {
    // Not all that is in the address bar: to JupyterHub's own page a query is an order to start.
    const { pathname, search } = window.location;
    return pathname.endsWith("/gpuspawner/choose") ? pathname + search : pathname;
  }

  function reloading(text) {
    const link = document.createElement("a");
    link.href = fresh();
    link.textContent = words.wordsReload || "";
    return [`${text} `, link];
  }

  function selected() {
    return [...cards.values()].find((card) => card.radio.checked);
  }

  function warn() {
    const card = selected();
    // It was so when the page was loaded.
    const none = document.getElementById("gpuspawner-none");
    if (none) none.hidden = [...cards.values()].some((each) => each.canChoose);
    const lost = card && !card.canChoose && !isAway && !isFailed;
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

  // --- What is announced: rarely, and what was so and is so again, not at all ---

  const announced = new Map();
  let spokeAt = -Infinity;
  let speaking = 0;

  function noted(card) {
    const { standing, canChoose } = card;
    // What is not known is tried, and what is busy can be waited for: neither can be started now.
    const isUnknown = canChoose && standing === "unknown";
    return { standing, isUnknown, canStart: canChoose && !isUnknown && standing !== "busy" };
  }

  for (const [slug, card] of cards) announced.set(slug, noted(card));

  function speak() {
    speaking = 0;
    const phrases = [];
    for (const [slug, card] of cards) {
      const before = announced.get(slug);
      const after = noted(card);
      const isSelected = card.radio.checked;
      if (after.isUnknown && !isSelected) continue;
      announced.set(slug, after);
      const { title } = card;
      const isOther = before.canStart !== after.canStart;
      if (isOther && after.canStart && !before.isUnknown) {
        phrases.push(filled(words.wordsCan, { title }));
      } else if (isOther && !after.canStart && !(isSelected && card.canChoose)) {
        phrases.push(filled(isSelected ? words.wordsSelected : words.wordsCannot, { title }));
      } else if (isSelected && before.standing !== after.standing) {
        const sentence = card.now.querySelector(".gpuspawner-sentence") || card.now;
        const now = sentence.textContent.trim();
        phrases.push(filled(words.wordsSelectedNow, { title, now }));
      }
    }
    say(phrases);
  }

  function say(phrases) {
    if (!phrases.length) return;
    spokeAt = performance.now();
    if (news) news.textContent = phrases.join(" ");
  }

  function speakSoon() {
    if (speaking) return;
    const left = spokeAt + SPEAK_EVERY - performance.now();
    speaking = setTimeout(speak, Math.max(GATHER, left));
  }

  // --- What the hub says ---

  function take(event) {
    for (const told of event.cards) {
      const card = cards.get(told.slug);
      if (!card) continue;
      card.html = told.html;
      card.standing = told.standing;
      card.canChoose = told.can_choose;
      card.title = told.title;
      card.isGone = false;
    }
    if (event.all) {
      const offered = new Set(event.cards.map((told) => told.slug));
      for (const [slug, card] of cards) {
        if (offered.has(slug)) continue;
        card.isGone = true;
        card.canChoose = false;
        card.standing = "unknown";
      }
    }
    if (event.catalog === words.catalog) notice("changed");
    else notice("changed", ...reloading(words.wordsCatalog || ""));
    isFailed = false;
    notice("failed");
    speakSoon();
  }

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
    if (event.cards) take(event);
    if (isAway) {
      isAway = false;
      say([words.wordsBack || ""]);
    }
    showAll();
    showAge();
  }

  function refuse() {
    // Signed out, or not the person's any more. A hub that never said anything keeps no page true.
    stop();
    isRefused = true;
    if (!hasHeard) return;
    isFailed = true;
    notice("refused", ...reloading(words.wordsRefused || ""));
    showAll();
  }

  // --- The stream, and asking now and then where it does not come through ---

  let source = null;
  let timer = 0; // the next attempt or question
  let again = 0; // the next stream, while it is asked
  let failures = 0;
  let hasHeard = false;
  let isRefused = false;
  let isRunning = false;
  let asking = null;

  function address() {
    const url = new URL(words.liveUrl, window.location.href);
    const token =
      (form && new URL(form.action, window.location.href).searchParams.get("_xsrf")) ||
      window.jhdata?.xsrf_token;
    if (token) url.searchParams.set("_xsrf", token);
    return url.href;
  }

  function backOff(shortest, longest) {
    failures += 1;
    const delay = Math.min(longest, shortest * 2 ** (failures - 1));
    return delay * (0.5 + Math.random());
  }

  function stream() {
    clearTimeout(timer);
    const mine = (source = new EventSource(address()));
    // Where nothing comes, a proxy on the way keeps the stream back until it ends.
    timer = setTimeout(poll, FIRST);
    mine.onmessage = function (message) {
      clearTimeout(timer);
      failures = 0;
      hasHeard = true;
      words.heardBy = "stream";
      const event = JSON.parse(message.data);
      if (event.poll) pollForAWhile();
      else hear(event);
    };
    mine.onerror = function () {
      const isOver = mine.readyState === EventSource.CLOSED;
      mine.close();
      if (mine !== source) return;
      clearTimeout(timer);
      source = null;
      // Why it is refused cannot be read of a stream.
      if (isOver) pollForAWhile();
      else timer = setTimeout(stream, backOff(RECONNECT, RECONNECT_AT_MOST));
    };
  }

  function pollForAWhile() {
    clearTimeout(again);
    again = setTimeout(function () {
      silence();
      stream();
    }, STREAM_AGAIN * (0.5 + Math.random()));
    poll();
  }

  async function poll() {
    source?.close();
    source = null;
    clearTimeout(timer);
    const mine = (asking = new AbortController());
    let delay;
    try {
      const answer = await fetch(address(), {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: mine.signal,
      });
      if (answer.status === 403 || answer.status === 404) {
        refuse();
        return;
      }
      if (!answer.ok) throw new Error(answer.statusText);
      const event = await answer.json();
      if (mine.signal.aborted) return;
      const asked = Number(answer.headers.get("Retry-After")) * 1000;
      delay = Math.max(POLL_EVERY, asked || 0) * (0.8 + 0.4 * Math.random());
      failures = 0;
      hasHeard = true;
      words.heardBy = "asking";
      hear(event);
    } catch {
      if (mine.signal.aborted) return;
      delay = backOff(POLL_EVERY, POLL_AT_MOST_EVERY);
    }
    if (isRunning) timer = setTimeout(poll, delay);
  }

  function silence() {
    clearTimeout(timer);
    asking?.abort();
    source?.close();
    source = null;
  }

  function start() {
    if (isRunning || isRefused) return;
    isRunning = true;
    failures = 0;
    startedAt = performance.now();
    stream();
  }

  function stop() {
    isRunning = false;
    clearTimeout(again);
    silence();
  }

  // --- Time, and whether anybody looks ---

  function tick() {
    if (document.hidden) return;
    showAge();
    const patience = startedAt - heardAt > SILENCE ? WHEN_SEEN_AGAIN : SILENCE;
    if (!isRunning || performance.now() - Math.max(heardAt, startedAt) < patience) return;
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
})();
