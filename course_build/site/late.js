// The page is shown before its libraries, [{ src, type }], are read. What waits for the page waits for them as well, as
// if they stood at its start.
((libraries) => {
  const root = document.documentElement;
  root.dataset.libraries = "waiting";

  const none = () => new Map([[document, []], [window, []]]);
  const missed = { DOMContentLoaded: none(), load: none() };
  const listen = EventTarget.prototype.addEventListener;
  for (const target of [document, window]) {
    target.addEventListener = (type, ...listener) =>
      missed[type] ? missed[type].get(target).push(listener) : listen.call(target, type, ...listener);
  }
  const hand = (type, listener) => {
    const once = new EventTarget(); // where a fault of one listener stops no other
    listen.call(once, type, ...listener);
    once.dispatchEvent(new Event(type));
  };

  const event = (target, type) => new Promise((happened) => listen.call(target, type, happened, { once: true }));
  const parsed = event(document, "DOMContentLoaded");
  const loaded = event(window, "load");
  // A page in the background is not painted, and a reader may be quicker.
  const wanted = Promise.race([
    new Promise((painted) => new PerformanceObserver(painted).observe({ type: "paint", buffered: true })),
    ...["focusin", "keydown", "pointerdown"].map((type) => event(document, type)),
    loaded.then(() => new Promise((waited) => setTimeout(waited, 3000))),
  ]);

  Promise.all([parsed, wanted]).then(async () => {
    const read = ({ src, type }) =>
      new Promise((done) => {
        const script = document.createElement("script");
        Object.assign(script, { src, type, async: false, onload: done, onerror: done });
        document.head.append(script);
      });
    await Promise.all(libraries.map(read));
    for (const [type, reached] of [["DOMContentLoaded", parsed], ["load", loaded]]) {
      await reached;
      const listeners = missed[type];
      delete missed[type]; // from here on the page is as any other
      for (const listener of [document, window].flatMap((target) => listeners.get(target))) {
        hand(type, listener);
        await new Promise((rested) => setTimeout(rested)); // between two, the reader's own events have their turn
      }
    }
    root.dataset.libraries = "read";
  });
})
