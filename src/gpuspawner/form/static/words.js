// Sentences of the page. They stand in its attributes, in the language of whoever looks at it.

export function filled(template, fields) {
  return (template || "").replace(/\{(\w+)\}/g, (whole, name) => fields[name] ?? whole);
}

// Gives what writes a number of seconds in a language; undefined is the browser's own.
export function durations(language) {
  const ago = new Intl.RelativeTimeFormat(language);
  return function inWords(seconds) {
    const unit = seconds < 120 ? "second" : "minute";
    const number = Math.round(unit === "second" ? seconds : seconds / 60);
    const length = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
    return { ago: ago.format(-number, unit), duration: length.format(number) };
  };
}
