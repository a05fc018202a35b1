// The demo: a text box whose text the int8 model reads, in the reader's own browser. It takes the place of
// `<div id="sentiment-demo">`, on whatever page that stands. Nothing large is fetched before the reader asks, nothing
// at all from another host, and whatever is typed is only ever shown as text.

(() => {
  const place = document.querySelector("#sentiment-demo");
  if (!place) return;
  const here = document.currentScript.src;
  const EXAMPLES = [
    "What a wonderful, moving film.",
    "The battery died after two days. I want my money back.",
    "The plot is thin, but I laughed from start to finish.",
    "Unputdownable!",
  ];
  const PAUSE = 250; // milliseconds after the last key, before the model reads
  const SPEAKING_PAUSE = 1000; // and before a screen reader speaks: it would talk into the typing

  /** Return a new element. Children that are strings become text, never markup. */
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;
  const milliseconds = (time) => (time < 1 ? "under 1 ms" : `${Math.round(time)} ms`);
  const say = (text) => place.replaceChildren(make("p", { class: "demo-note", role: "status" }, text));

  if (location.protocol === "file:") {
    say(
      "The demo can't run, because this page was opened as a file, and a browser lets no file fetch another. Serve " +
        "the site, for example with: python3 -m course_build preview",
    );
    return;
  }
  if (typeof WebAssembly !== "object" || typeof Worker !== "function") {
    say(
      "The demo can't run here: the model is computed in WebAssembly, and this browser has none, or it is switched " +
        "off. A current Firefox, Chrome, Edge or Safari has it.",
    );
    return;
  }

  function build(catalogue) {
    const model = catalogue.files["model_weights_int8.onnx"].size;
    const total = model + catalogue.files["ort.wasm"].size + catalogue.files["vocab.txt"].size;
    let worker;
    let loaded = false;
    let busy = false;
    let timer, speaking;

    const load = make("button", { type: "button", class: "demo-load" }, `Load the model (${megabytes(total)})`);
    const progress = make("progress", { max: total, value: 0, "aria-label": "Loading the model", hidden: "" });
    const state = make(
      "p",
      { class: "demo-state", role: "status" },
      `Nothing is loaded yet. Of the ${megabytes(total)} the model is ${megabytes(model)}; the rest computes it.`,
    );
    const text = make("textarea", {
      id: "demo-text",
      rows: 3,
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": "demo-hint",
    });
    const examples = EXAMPLES.map((example) => {
      const button = make("button", { type: "button", class: "demo-example" }, example);
      button.addEventListener("click", () => {
        text.value = example;
        ask(0);
      });
      return button;
    });
    const label = make("strong", { class: "demo-label" });
    const score = make("span", { class: "demo-score" });
    const bar = make("div", { class: "demo-bar", role: "img" }, make("span"), make("span"));
    const timing = make("p", { class: "demo-timing" });
    const cut = make("p", { class: "demo-cut" });
    const count = make("h3", { id: "demo-tokens" }, "Tokens");
    const tokens = make("ol", { "aria-labelledby": "demo-tokens" });
    const result = make(
      "div",
      { class: "demo-result", role: "group", "aria-label": "What the model says", hidden: "" },
      make("p", { class: "demo-verdict" }, label, " ", score),
      bar,
      timing,
      cut,
      count,
      tokens,
    );
    // What a screen reader speaks: one sentence, once the typing rests.
    const spoken = make("p", { class: "demo-spoken visually-hidden", role: "status" });

    place.replaceChildren(
      make("div", { class: "demo-loading" }, load, progress, state),
      make("label", { for: "demo-text" }, "Your text"),
      text,
      make("p", { id: "demo-hint", class: "demo-hint" }, "In English, a sentence or two. It stays in this browser."),
      make("div", { class: "demo-examples", role: "group", "aria-label": "Examples" }, ...examples),
      result,
      spoken,
    );
    place.classList.add("demo");

    function fail(reason) {
      worker?.terminate();
      worker = undefined;
      loaded = busy = false;
      progress.hidden = true;
      clearTimeout(timer);
      clearTimeout(speaking);
      result.hidden = true;
      load.hidden = false;
      load.disabled = false;
      load.textContent = "Try again";
      state.classList.add("demo-failed");
      state.textContent = `The model is not loaded. ${reason}`;
      if (document.activeElement === document.body) load.focus({ preventScroll: true });
    }

    function start() {
      const again = load.textContent === "Try again";
      load.disabled = true;
      progress.hidden = false;
      progress.value = 0;
      state.classList.remove("demo-failed");
      state.textContent = "Loading the model.";
      // And the typefaces of the answer: when it comes, the network may be gone.
      for (const face of document.fonts) face.load().catch(() => {});
      worker = new Worker(new URL("worker.js", here), { type: "module" });
      worker.addEventListener("message", ({ data }) => answers[data.type](data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        fail("The script that runs it could not be started. Is the connection there, and the browser up to date?");
      });
      worker.postMessage({ type: "load", catalogue, again });
    }

    const answers = {
      progress({ come }) {
        progress.value = come;
      },
      starting() {
        state.textContent = "Starting the model.";
      },
      loaded() {
        loaded = true;
        const focused = document.activeElement === load;
        load.hidden = true;
        progress.hidden = true;
        state.textContent = "The model is loaded, and needs no network any more.";
        if (focused || document.activeElement === document.body) text.focus({ preventScroll: true });
        ask(0);
      },
      answer(answer) {
        busy = false;
        if (answer.text === text.value) show(answer);
        else ask(0);
      },
      failed({ reason }) {
        fail(reason);
      },
    };

    /** Have the text read after a pause; while the model is busy, the newest text waits for it. */
    function ask(pause) {
      clearTimeout(timer);
      clearTimeout(speaking);
      if (!text.value.trim()) {
        result.hidden = true;
        spoken.textContent = "";
        return;
      }
      if (!worker) state.textContent = "Load the model, and it reads your text.";
      if (!loaded || busy) return;
      timer = setTimeout(() => {
        busy = true;
        worker.postMessage({ type: "classify", text: text.value });
      }, pause);
    }

    function show({ pieces, ids, total: all, scores, milliseconds: time }) {
      const best = scores.indexOf(Math.max(...scores));
      const named = catalogue.labels.map((name, id) => `${name} ${scores[id].toFixed(4)}`);
      label.textContent = catalogue.labels[best];
      label.dataset.label = best;
      score.textContent = scores[best].toFixed(4);
      bar.setAttribute("aria-label", named.join(", "));
      [...bar.children].forEach((part, id) => (part.style.flexGrow = scores[id]));
      timing.textContent =
        `Tokens in ${milliseconds(time.tokenizer)}, model in ${milliseconds(time.model)}, on this device. ` +
        "No server was asked.";
      cut.hidden = all <= ids.length;
      cut.textContent = `The model reads ${ids.length} tokens at most. This text has ${all.toLocaleString("en")}.`;
      count.textContent = `${ids.length} tokens`;
      tokens.replaceChildren(
        ...pieces.map((piece, index) =>
          make(
            "li",
            { class: piece.startsWith("##") ? "demo-continued" : /^\[.+\]$/.test(piece) ? "demo-special" : "" },
            make("span", { class: "demo-piece" }, piece),
            " ",
            make("span", { class: "demo-id" }, String(ids[index])),
          ),
        ),
      );
      result.hidden = false;
      // A list that scrolls takes the focus, so that the arrow keys scroll it.
      if (tokens.scrollHeight > tokens.clientHeight + 1) tokens.tabIndex = 0;
      else tokens.removeAttribute("tabindex");
      speaking = setTimeout(() => {
        spoken.textContent = `${label.textContent}, score ${score.textContent}, ${ids.length} tokens.`;
      }, SPEAKING_PAUSE);
    }

    load.addEventListener("click", start);
    text.addEventListener("input", () => ask(PAUSE));
  }

  const notHere =
    "The model is not on this copy of the site. The command “make site” puts it there, on a machine that reaches the npm registry.";
  fetch(new URL("demo.json", here))
    .then((answer) => answer.json())
    .then((catalogue) => (catalogue.files ? build(catalogue) : say(notHere)))
    .catch(() => say("The demo could not be started, for demo.json could not be read. Load the page again."));
})();
