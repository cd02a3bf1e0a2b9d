// The cards of the profiles: what is known of each, and how it is shown.

// By slug, what is known of each card, first from the page itself.
export function cardsOf(page) {
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
  return cards;
}

export function selected(cards) {
  return [...cards.values()].find((card) => card.radio.checked);
}

// Takes in what the hub says of them; `isAll`: of every profile that is still offered.
export function take(cards, news, isAll) {
  for (const told of news) {
    const card = cards.get(told.slug);
    if (!card) continue;
    card.html = told.html;
    card.standing = told.standing;
    card.canChoose = told.can_choose;
    card.title = told.title;
    card.isGone = false;
  }
  if (!isAll) return;
  const offered = new Set(news.map((told) => told.slug));
  for (const [slug, card] of cards) {
    if (offered.has(slug)) continue;
    card.isGone = true;
    card.canChoose = false;
    card.standing = "unknown";
  }
}

// Shows a card as it is known, or, where nothing is, the words for that in `doubt`.
export function show(card, doubt, gone) {
  const standing = doubt === null ? card.standing : "unknown";
  if (doubt !== null) put(card, unknown(doubt));
  else if (card.isGone) put(card, unknown(gone));
  else put(card, parsed(card.html));
  if (card.element.dataset.standing !== standing) card.element.dataset.standing = standing;
  card.element.classList.toggle("gpuspawner-off", !card.canChoose);
  enable(card);
}

export function enable(card) {
  // A disabled radio is not sent with the form, and what is disabled loses the focus.
  const may = card.canChoose || card.radio.checked;
  for (const control of [card.radio, ...card.element.querySelectorAll("[data-option]")]) {
    control.disabled = !may && control !== document.activeElement;
  }
}

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
