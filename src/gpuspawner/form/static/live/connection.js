// The stream of what the hub says, and asking now and then where it does not come through.

const FIRST = 4000; // All in milliseconds. A stream that says nothing for as long is kept back.
const POLL_EVERY = 5000;
const POLL_AT_MOST_EVERY = 60000;
const STREAM_AGAIN = 300000;
const RECONNECT = 1000;
const RECONNECT_AT_MOST = 30000;

// `hear` is given each event. `refused` is called where the hub says no for good: signed out, or
// not the person's any more. A hub that never said anything keeps no page true, and is let be.
export function connection(page, hear, refused) {
  const words = page.dataset;
  const form = page.closest("form");
  let source = null;
  let timer = 0; // the next attempt or question
  let again = 0; // the next stream, while it is asked
  let failures = 0;
  let hasHeard = false;
  let isRefused = false;
  let isRunning = false;
  let startedAt = performance.now();
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
        stop();
        isRefused = true;
        if (hasHeard) refused();
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

  return { start, stop, since: () => (isRunning ? startedAt : null) };
}
