// The page: which view is shown, the stream of overviews, keys and the theme.

import { messageView, queueView, queuesView, workersView } from "./views.js";
import { setAttribute, setText, visible } from "./show.js";

const byId = (id) => document.getElementById(id);

let [view, viewKey, overview, opened] = [null, null, null, null];

/** The answer to a read, or to an action. */
export async function read(path, options = {}) {
  try {
    const response = await fetch(path, options);
    return { ok: response.ok, status: response.status, json: await response.json() };
  } catch {
    return { ok: false, status: 0, json: { error: "The server does not answer." } };
  }
}

/** Asks for a new overview at once, after an action. */
export async function refresh() {
  const answer = await read("/api/overview");
  if (answer.ok) show(answer.json);
}

export function note(text, failed = false) {
  const line = document.createElement("p");
  line.className = failed ? "note error" : "note";
  setText(line, text);
  byId("notes").append(line);
  setTimeout(() => line.remove(), 8_000);
}

function show(latest) {
  overview = latest;
  byId("read-only").hidden = !latest.read_only;
  view?.update(latest);
}

/** The parts of the address behind `#`. */
function address() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts, query: new URLSearchParams(query) };
}

/** Changes the filter or the page in the address; a filter leaves no trail in the history. */
function setQuery(fields, replace) {
  const { query } = address();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const hash = `${location.hash.split("?")[0]}${query.size ? `?${query}` : ""}`;
  if (replace) {
    history.replaceState(null, "", hash);
    route();
  } else {
    location.hash = hash;
  }
}

function route() {
  const { parts, query } = address();
  const key = parts.join("/");
  if (key === viewKey) {
    view.setQuery?.(query);
    return;
  }
  const first = viewKey === null;
  const [kind, queue, below, id] = parts;
  if (kind === "queue" && queue && below === "message" && id) {
    view = messageView(queue, id, query);
    opened = id;
  } else if (kind === "queue" && queue) {
    view = queueView(queue, query, { setQuery, opened });
    opened = null;
  } else if (kind === "workers") {
    view = workersView();
  } else {
    view = queuesView();
  }
  viewKey = key;
  byId("main").replaceChildren(view.node);
  document.title = visible(`${view.title} · requeue`);
  for (const link of document.querySelectorAll("[data-view]")) {
    const current = link.dataset.view === (kind === "workers" ? "workers" : "queues");
    setAttribute(link, "aria-current", current ? "page" : null);
  }
  if (!first) {
    window.scrollTo(0, 0);
    view.node.querySelector("h1")?.focus({ preventScroll: true });
  }
  if (overview) view.update(overview);
}

let stream = null;

/** A page that nobody sees has no stream. */
function connect() {
  if (document.hidden) {
    stream?.close();
    stream = null;
    return;
  }
  if (stream) return;
  const opening = new EventSource("/api/events");
  stream = opening;
  const status = (text, className) => {
    setText(byId("connection"), text);
    byId("connection").className = `connection ${className}`;
  };
  opening.addEventListener("message", (event) => {
    status("live", "live");
    show(JSON.parse(event.data));
  });
  opening.addEventListener("error", () => {
    status("no connection", "lost");
    if (opening.readyState !== EventSource.CLOSED) return;
    stream = null;
    setTimeout(connect, 2_000);
  });
}

const THEMES = { system: "◐", light: "☀", dark: "☾" };

function theme(name) {
  const chosen = THEMES[name] ? name : "system";
  const button = byId("theme");
  document.documentElement.dataset.theme = chosen;
  setText(button, THEMES[chosen]);
  setAttribute(button, "aria-label", `Theme: ${chosen}`);
  setAttribute(button, "title", `Theme: ${chosen} (t)`);
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // The choice lasts as long as the page.
  }
}

function nextTheme() {
  const names = Object.keys(THEMES);
  theme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
}

/** To the next or the previous row, from wherever the focus is. */
function moveRow(by) {
  const rows = [...document.querySelectorAll("a.row")];
  const at = rows.indexOf(document.activeElement.closest?.("tr")?.querySelector("a.row"));
  const target = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  rows[target]?.focus();
}

const KEYS = {
  j: () => moveRow(1),
  k: () => moveRow(-1),
  q: () => (location.hash = "#/"),
  w: () => (location.hash = "#/workers"),
  t: nextTheme,
  "?": () => byId("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const run = view?.keys?.[event.key] ?? KEYS[event.key];
  if (!run) return;
  event.preventDefault();
  run();
});

byId("help").addEventListener("click", KEYS["?"]);
byId("theme").addEventListener("click", nextTheme);
window.addEventListener("hashchange", () => {
  // A question about what is not shown any more.
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  route();
});
document.addEventListener("visibilitychange", connect);

let stored = null;
try {
  stored = localStorage.getItem("theme");
} catch {
  // A browser that keeps nothing.
}
theme(stored);
route();
refresh();
connect();
