// A page is shown before its libraries, [{ src, type }], are read. What waits for the page waits for them as well, as if
// they stood at its start.
((libraries) => {
  document.documentElement.dataset.libraries = "waiting";
  const missed = { DOMContentLoaded: [], load: [] };
  const listen = EventTarget.prototype.addEventListener;
  for (const target of [document, window])
    target.addEventListener = (type, ...listener) =>
      missed[type] ? missed[type].push({ target, listener }) : listen.call(target, type, ...listener);

  const read = (library) =>
    new Promise((done) => {
      const script = document.createElement("script");
      document.head.append(Object.assign(script, library, { async: false, onload: done, onerror: done }));
    });
  const start = async () => {
    await document.fonts.ready; // what they measure stays so
    await Promise.all(libraries.map(read));
    for (const type in missed) {
      const listeners = missed[type].sort((one, other) => (one.target === window) - (other.target === window));
      delete missed[type]; // from here on the page is as any other
      for (const { listener } of listeners) {
        const once = new EventTarget(); // where a fault of one listener stops no other
        listen.call(once, type, ...listener);
        once.dispatchEvent(new Event(type));
        await new Promise((rested) => setTimeout(rested)); // between two, the reader's own events have their turn
      }
    }
    document.documentElement.dataset.libraries = "read";
  };
  listen.call(window, "load", () => requestAnimationFrame(() => setTimeout(start))); // when it has been painted
})
