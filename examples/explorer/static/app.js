// The page of the explorer: asks /api, shows rows, distances and bits. No library, no build step.

const TARGETS = [0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.995, 0.999, 1];
// Unrelated codes are at about this distance.
const UNRELATED = 0.5;
const DELAY = 250;
// Pixels of a bit in the pattern.
const CELL = 6;

const $ = (id) => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

let last = null; // repeats the last search, when a filter or setting changes
let latest = 0; // number of the newest request: answers to older ones are dropped
let example = "";

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({ error: "The server does not answer." }));
  if (!response.ok) throw new Error(answer.error || "The search failed.");
  return answer;
}

const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });

function settings() {
  return { target_recall: TARGETS[$("target").value], mode: $("mode").value };
}

function filters() {
  const radius = $("radius").value;
  return {
    repository: $("repository").value,
    path: $("path").value,
    limit: Number($("limit").value),
    radius: radius === "" ? null : Number(radius),
  };
}

// Runs a search, and shows what comes of it unless a newer one has begun.
async function run(search) {
  last = search;
  const mine = ++latest;
  $("message").className = "";
  $("message").textContent = "Searching…";
  try {
    const answer = await search();
    if (mine === latest) show(answer);
    return mine === latest;
  } catch (error) {
    if (mine === latest) fail(error);
    return false;
  }
}

function fail(error) {
  $("message").textContent = error.message;
  $("message").className = "error";
  for (const id of ["facts", "query-code", "sql-details"]) $(id).hidden = true;
  $("rows").replaceChildren();
}

function searchFor(what) {
  run(() => post("/api/search", { ...what, ...filters(), ...settings() })).then(async (shown) => {
    if (!shown) return;
    const mine = latest;
    $("fact-sample").textContent = "…";
    const sample = await post("/api/recall", settings()).catch(() => null);
    if (sample && mine === latest) {
      $("fact-sample").replaceChildren(percent(sample.recall), element("small", { textContent: `${time(sample.median_ms)} each` }));
    }
  });
}

const percent = (fraction) => `${(100 * fraction).toFixed(fraction < 0.9995 ? 1 : 0)}\u00a0%`;
const time = (milliseconds) => `${milliseconds.toFixed(milliseconds < 1 ? 3 : 1)} ms`;
const bitsOf = (hex) => [...hex].flatMap((digit) => [8, 4, 2, 1].map((bit) => (parseInt(digit, 16) & bit ? 1 : 0)));

function show(answer) {
  const count = answer.rows.length;
  $("message").textContent = count ? `${count} ${count === 1 ? "row" : "rows"}, nearest first` : "No row is that near.";
  $("facts").hidden = answer.recall === undefined;
  if (answer.recall !== undefined) {
    $("fact-time").textContent = time(answer.milliseconds);
    $("fact-exact").textContent = time(answer.exact_milliseconds);
    $("fact-recall").textContent = percent(answer.recall);
  }
  const query = bitsOf(answer.code);
  $("query-code").hidden = false;
  $("query-code").replaceChildren(pattern(query, query), `the code searched for: ${query.length} bits`);
  $("rows").replaceChildren(...answer.rows.map((row) => item(row, query)));
  $("sql-details").hidden = false;
  $("sql").textContent = answer.sql;
  $("plan").textContent = answer.plan || "";
  $("plan").hidden = !answer.plan;
}

function item(row, query) {
  const bits = bitsOf(row.code);
  const names = element("div", {},
    element("div", { className: "name", textContent: row.path || row.name }),
    element("div", { className: "note", textContent: row.path
      ? `${row.repository} · ${row.created} · ${bits.length} bits` : row.change }),
    bar(row.distance));
  const made = element("li", {}, names, pattern(bits, query));
  if (row.change) {
    made.className = "with-picture";
    made.prepend(element("img", { src: `/api/picture/${row.id}`, alt: `${row.name}, ${row.change}` }));
  }
  return made;
}

function bar(distance) {
  const made = element("div", { className: "bar" }, element("i"), element("b", { textContent: distance.toFixed(4) }));
  const share = Math.min(1, distance / UNRELATED);
  made.style.setProperty("--width", `${100 * share}%`);
  made.style.setProperty("--tint", `color-mix(in oklab, var(--far) ${100 * share}%, var(--near))`);
  return made;
}

// The bits as squares, 32 in a row; those that differ from the query in its own colour.
function pattern(bits, query) {
  const differing = bits.filter((bit, n) => n < query.length && bit !== query[n]).length;
  const canvas = element("canvas", { width: CELL * 32, height: CELL * Math.ceil(bits.length / 32) });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${differing} of ${Math.min(bits.length, query.length)} bits differ`);
  const style = getComputedStyle(document.documentElement);
  const [on, off, diff] = ["--bit", "--off", "--diff"].map((name) => style.getPropertyValue(name));
  const context = canvas.getContext("2d");
  bits.forEach((bit, n) => {
    const differs = n < query.length && bit !== query[n];
    context.fillStyle = differs ? diff : bit ? on : off;
    context.globalAlpha = n < query.length ? 1 : 0.35;
    context.fillRect(CELL * (n % 32), CELL * Math.floor(n / 32), CELL - 1, CELL - 1);
  });
  return canvas;
}

function searchImage(content) {
  run(() => ask(`/api/image?bits=${$("bits").value}`, { method: "POST", body: content }));
}

function select(tab) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  $("options").hidden = tab.id === "tab-image";
  last = null;
}

function later(action) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, DELAY);
  };
}

function listen() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  tabs.forEach((tab, n) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[event.key];
      if (!step) return;
      const next = tabs[(n + step) % tabs.length];
      select(next);
      next.focus();
    });
  });
  $("panel-text").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value;
    searchFor({ text });
  });
  $("panel-code").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = $("code").value;
    searchFor({ code });
  });
  const again = later(() => last && (last.image ? searchImage(last.image) : submitShown()));
  for (const id of ["repository", "limit", "radius", "mode", "path", "target", "bits"]) $(id).addEventListener("input", again);
  $("target").addEventListener("input", () => ($("target-value").textContent = TARGETS[$("target").value]));
  $("bits").addEventListener("input", () => ($("bits-value").textContent = $("bits").value));
  $("example-code").addEventListener("click", () => searchExample(example));
  $("example-short").addEventListener("click", () => searchExample(example.slice(0, 2 + 16)));
  $("example-text").addEventListener("click", async () => {
    const text = await (await fetch("/api/licence")).text();
    $("text").value = text.replaceAll("Licensor", "Owner").replaceAll("Derivative Works", "Changed Works");
    $("panel-text").requestSubmit();
  });
  listenForPictures();
}

function submitShown() {
  const form = [$("panel-text"), $("panel-code")].find((each) => !each.hidden);
  if (form) form.requestSubmit();
}

function searchExample(code) {
  $("code").value = code;
  $("panel-code").requestSubmit();
}

function listenForPictures() {
  const take = (file) => {
    if (!file) return;
    searchImage(file);
    last.image = file;
  };
  $("file").addEventListener("change", () => take($("file").files[0]));
  const drop = $("drop");
  for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
  $("samples").addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (button) take(await (await fetch(`/api/picture/${button.dataset.id}`)).blob());
  });
}

async function start() {
  listen();
  try {
    const known = await ask("/api/information");
    example = known.example;
    $("about").textContent = `${known.versions.toLocaleString("en")} versions of source files, ` +
      `${known.distinct_codes.toLocaleString("en")} distinct codes, index of ${known.size}, PostgreSQL ${known.server}`;
    $("repository").append(...known.repositories.map((each) =>
      element("option", { value: each.repository, textContent: `${each.repository} (${each.versions.toLocaleString("en")})` })));
    $("samples").append(...known.pictures.map((picture) => {
      const button = element("button", { type: "button" }, element("img", { src: `/api/picture/${picture.id}`, alt: picture.name }));
      button.dataset.id = picture.id;
      return button;
    }));
  } catch (error) {
    fail(error);
  }
}

start();
