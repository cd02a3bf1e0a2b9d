// What is announced: rarely, and what was so and is so again, not at all.
import { filled } from "../words.js";

const GATHER = 1000; // All in milliseconds.
const SPEAK_EVERY = 5000;

// Gives `say`, at once, and `speakSoon`, of what has changed of the cards by then.
export function announcing(cards, words, news) {
  const announced = new Map();
  let spokeAt = -Infinity;
  let speaking = 0;

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

  return { say, speakSoon };
}

function noted(card) {
  const { standing, canChoose } = card;
  // What is not known is tried, and what is busy can be waited for: neither can be started now.
  const isUnknown = canChoose && standing === "unknown";
  return { standing, isUnknown, canStart: canChoose && !isUnknown && standing !== "busy" };
}
