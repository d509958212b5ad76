// The views: all queues, the messages of a queue, one message, the workers. Each has a `node`, and `update`, which is
// called with every overview.

import { read } from "./page.js";
import * as act from "./acts.js";
import {
  bytes, cell, chart, count, el, figures, indented, isJson, keyed, oneLine, plural, rate, setAttribute, setText, span, table, time,
} from "./show.js";

export const queueLink = (name, query = "") => `#/queue/${encodeURIComponent(name)}${query}`;
export const messageLink = (queue, id, query = "") => `#/queue/${encodeURIComponent(queue)}/message/${id}${query}`;

const PHASES = { visible: "visible", in_flight: "in flight", delayed: "delayed", blocked: "held back" };

const total = (queues, field) => queues.reduce((sum, queue) => sum + queue[field], 0);
const stored = (queue) => queue.visible + queue.in_flight + queue.delayed;
function oldest(queue) {
  if (queue.oldest_ms === null) return queue.oldest_is_minimum ? "unknown" : "none";
  return `${queue.oldest_is_minimum ? "≥ " : ""}${span(queue.oldest_ms)}`;
}
const rates = (queue) => `${rate(queue.in_rate)} messages per second in, ${rate(queue.out_rate)} out, in the last ten seconds; the chart is of the last five minutes`;

/** A text that somebody chose, or in another colour that there is none. */
function setOrNone(node, text, none) {
  setText(node, text === null ? none : oneLine(text));
  node.classList.toggle("muted", text === null);
}

const heading = (...children) => el("h1", { tabindex: "-1" }, ...children);

/** What a queue is, beside its name. */
function tags(queue) {
  const tag = (text) => el("span", { class: "tag" }, text);
  return [
    queue.fifo ? tag("FIFO") : null,
    queue.sources.length ? tag(`dead letters of ${queue.sources.join(", ")}`) : null,
  ].filter(Boolean);
}

const legend = () =>
  el("span", { class: "legend", "aria-hidden": "true" }, el("i", { class: "in" }), "in ", el("i", { class: "out" }), "out");

/** All queues. */
export function queuesView() {
  const columns = [
    { name: "Queue" }, { name: "Visible", kind: "number" }, { name: "In flight", kind: "number" },
    { name: "Delayed", kind: "number" }, { name: "Oldest", kind: "number" }, { name: "In /s", kind: "number" },
    { name: "Out /s", kind: "number" }, { name: "Last 5 minutes", kind: "drawing" },
  ];
  const sums = figures(["visible", "in flight", "delayed", "dead letters", "in per second", "out per second"]);
  const body = el("tbody");
  const note = el("p", { class: "muted" });
  const node = el("div", {}, el("div", { class: "title" }, heading("Queues"), legend()), sums, table("Queues", columns, body), note);

  function row(queue) {
    const cells = columns.map((column) => cell(column));
    const drawing = chart();
    const task = el("span", { class: "muted small" });
    cells[0].append(el("a", { class: "row", href: queueLink(queue.name) }, queue.name), ...tags(queue), task);
    cells[7].append(drawing);
    const tr = el("tr", {}, ...cells);
    tr.update = (queue) => {
      const dead = queue.sources.length > 0 && stored(queue) > 0;
      tr.classList.toggle("dead", dead);
      const values = [count(queue.visible), count(queue.in_flight), count(queue.delayed), oldest(queue)];
      [...values, rate(queue.in_rate), rate(queue.out_rate)].forEach((value, index) => setText(cells[index + 1], value));
      drawing.update(queue.in, queue.out, rates(queue));
      setText(task, queue.task?.status === "RUNNING" ? `redrive: ${count(queue.task.moved)} of ${count(queue.task.to_move)}` : "");
    };
    return tr;
  }

  return {
    node,
    title: "Queues",
    update(overview) {
      const { queues } = overview;
      const letters = queues.filter((queue) => queue.sources.length);
      const dead = letters.reduce((sum, queue) => sum + stored(queue), 0);
      const fields = ["visible", "in_flight", "delayed"].map((field) => count(total(queues, field)));
      sums.update([...fields, count(dead), rate(total(queues, "in_rate")), rate(total(queues, "out_rate"))]);
      keyed(body, queues, (queue) => queue.name, row);
      const left = overview.left_out ? `${plural(overview.left_out, "more queue")} by name ${overview.left_out === 1 ? "is" : "are"} not shown here; the address of one is #/queue/ and its name.` : "";
      setText(note, queues.length ? left : "There is no queue.");
    },
  };
}

/** The messages of a queue that a filter selects. `query` has the filter, the order and the page. */
export function queueView(name, query, { setQuery, opened }) {
  const columns = [
    { name: "Message" }, { name: "State" }, { name: "Group", kind: "name" }, { name: "Receives", kind: "number" },
    { name: "Age", kind: "number" }, { name: "Body", kind: "wide" },
  ];
  const sums = figures(["visible", "in flight", "delayed", "oldest", "in per second", "out per second", "failed per second"]);
  const [drawing, body, badges, facts, redrive] = [chart(true), el("tbody"), el("span"), el("p", { class: "muted" }), el("div", { class: "redrive", hidden: true })];
  const found = el("p", { class: "muted", id: "found" });
  const [reasons, groups] = [el("ul", { class: "facets", "aria-label": "Reasons" }), el("ul", { class: "facets", "aria-label": "Groups" })];
  const list = table(`Messages of ${name}`, columns, body, "two");
  const gone = el("p", { class: "error", hidden: true }, `The queue ${name} is not there.`);

  const form = filterForm(query, (fields) => setQuery({ ...fields, page: null }, true));
  const hold = el("button", { type: "button", id: "hold", "aria-pressed": "false", title: "Hold the list still (l)" }, "Hold");
  const [previous, next] = [el("button", { type: "button", id: "previous" }, "Previous"), el("button", { type: "button", id: "next" }, "Next")];
  const buttons = el("div", { class: "actions" });
  const node = el(
    "div", {},
    el("p", { class: "path" }, el("a", { href: "#/" }, "Queues"), " /"),
    el("div", { class: "title" }, heading(name), badges, legend()),
    gone, sums, drawing, facts, redrive, buttons,
    form.node, reasons, groups,
    el("div", { class: "bar" }, found, el("span", { class: "grow" }), hold, previous, next),
    list,
  );

  // `page` is the answer to the query `shown`; the server has no answer to the query `refused`.
  let [latest, seen, page, shown, refused, busy, again, held, focusOnce] = [null, null, null, null, null, false, false, false, opened];
  hold.addEventListener("click", () => {
    held = !held;
    setAttribute(hold, "aria-pressed", held);
    if (!held) load();
  });
  const turn = (by) => page && setQuery({ page: String(Math.min(Math.max(page.page + by, 0), page.pages - 1)) }, false);
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));

  function row(message) {
    const cells = columns.map((column) => cell(column));
    const [link, state, reason, start] = [el("a", { class: "row mono" }), el("span"), el("span", { class: "reason" }), el("bdi", { class: "mono" })];
    cells[0].append(link);
    cells[1].append(state);
    cells[5].append(start, reason);
    setText(link, message.id.slice(0, 8));
    link.title = message.id;
    const tr = el("tr", {}, ...cells);
    tr.update = (message) => {
      setAttribute(link, "href", messageLink(name, message.id, location.hash.includes("?") ? `?${location.hash.split("?")[1]}` : ""));
      state.className = `phase ${message.phase}`;
      setText(state, stateOf(message, latest.at));
      setOrNone(cells[2], message.group, "none");
      setAttribute(cells[2], "title", message.group === null ? null : oneLine(message.group));
      setText(cells[3], count(message.receives));
      setText(cells[4], span(latest.at - message.arrived));
      const cut = message.body.length < message.body_bytes && new TextEncoder().encode(message.body).length < message.body_bytes;
      setText(start, oneLine(message.body) + (cut ? ` … ${bytes(message.body_bytes)}` : ""));
      setText(reason, message.reason === null ? "" : oneLine(message.reason));
    };
    return tr;
  }

  function show() {
    if (shown !== query.toString()) return;
    keyed(body, page.messages, (message) => message.id, row);
    list.hidden = page.messages.length === 0;
    const from = page.page * page.size;
    const range = page.messages.length ? `${count(from + 1)}–${count(from + page.messages.length)} of ` : "";
    const of = page.matched === page.total ? "" : `, of ${count(page.total)} in the queue`;
    setText(found, `${range}${plural(page.matched, "message")}${of}`);
    setAttribute(previous, "disabled", page.page === 0);
    setAttribute(next, "disabled", page.page >= page.pages - 1);
    facet(reasons, "Reasons", page.reasons, "error");
    facet(groups, "Groups", page.groups, "group");
    form.groups(page.groups);
    if (focusOnce) {
      const target = [...body.querySelectorAll("a.row")].find((link) => link.title === focusOnce);
      focusOnce = null;
      target?.focus();
    }
  }

  /** What is frequent, as buttons that filter by it, or no more. */
  function facet(list, title, entries, field) {
    list.hidden = entries.length === 0;
    if (!list.firstElementChild) list.append(el("li", { class: "muted" }, title), el("li", {}, el("ul")));
    keyed(list.lastElementChild.firstElementChild, entries, (entry) => entry.text, (entry) => {
      const [text, number] = [el("bdi", {}, oneLine(entry.text)), el("span", { class: "number" })];
      const button = el("button", { type: "button", onclick: () => form.set(field, (query.get(field) ?? "") === entry.text ? "" : entry.text) }, text, number);
      const item = el("li", {}, button);
      item.update = (entry) => {
        setText(number, count(entry.count));
        setAttribute(button, "aria-pressed", (query.get(field) ?? "") === entry.text);
      };
      return item;
    });
  }

  function waiting(waits) {
    setAttribute(list, "aria-busy", waits);
    if (waits) setText(found, "Loading messages…");
  }

  /** One request at a time; what changed meanwhile is asked for once more. */
  async function load() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const asked = query.toString();
    // What is asked for anew because something happened comes unseen.
    if (asked !== shown) waiting(true);
    const answer = await read(`/api/queues/${encodeURIComponent(name)}/messages?${asked}`);
    busy = false;
    gone.hidden = answer.status !== 404;
    if (asked === query.toString()) {
      waiting(false);
      refused = answer.status === 400 ? asked : null;
      if (answer.ok) {
        [page, shown] = [answer.json, asked];
        if (latest) show();
      } else {
        setText(found, answer.json.error);
        // What is there is of another query.
        if (asked !== shown) [page, shown] = [null, null];
        [list, reasons, groups].forEach((it) => (it.hidden ||= page === null));
      }
    }
    if (again) {
      again = false;
      load();
    }
  }

  function actions(overview, queue) {
    buttons.hidden = overview.read_only;
    if (overview.read_only || buttons.childElementCount) return;
    const button = (id, text, run) => el("button", { type: "button", id, onclick: run }, text);
    const current = () => rowOf(latest) ?? page?.row ?? queue;
    buttons.append(
      button("send", "Send a message…", () => act.send(current())),
      ...(queue.sources.length ? [button("redrive", "Redrive…", () => act.redrive(current(), latest))] : []),
      button("delete-matching", "Delete what the filter selects…", () => {
        form.flush();
        act.deleteMatching(name, query).then(load);
      }),
      button("purge", "Purge…", () => act.purge(current()).then(load)),
    );
  }

  const rowOf = (overview) => overview.queues.find((queue) => queue.name === name);

  /** What is known of the queue beside its messages. */
  function showQueue(overview, queue) {
    if (!badges.childElementCount) badges.append(...tags(queue));
    sums.update([...["visible", "in_flight", "delayed"].map((field) => count(queue[field])), oldest(queue), ...["in_rate", "out_rate", "failed_rate"].map((field) => rate(queue[field]))]);
    drawing.update(queue.in, queue.out, rates(queue));
    setText(facts, settings(queue));
    actions(overview, queue);
    redriveProgress(redrive, queue, overview.read_only);
  }

  return {
    node,
    title: name,
    update(overview) {
      latest = overview;
      const listed = rowOf(overview);
      // An overview leaves queues out; a page of messages has the row of its queue.
      const queue = listed ?? page?.row;
      if (listed) gone.hidden = true;
      else if (!overview.left_out) gone.hidden = false;
      if (!listed && !overview.left_out) return;
      if (queue) showQueue(overview, queue);
      const number = listed ? `${listed.facts} ${stored(listed)}` : null;
      const old = page && overview.at - page.at > 5_000 && (!listed || stored(listed) > 0);
      if (!held && query.toString() !== refused && (page === null || number !== seen || old)) {
        seen = number;
        load();
      } else if (page) show();
    },
    /** A new filter or page by the address. */
    setQuery(changed) {
      query = changed;
      form.show(query);
      load();
    },
    keys: {
      n: () => turn(1),
      p: () => turn(-1),
      l: () => hold.click(),
      "/": () => form.node.querySelector("[name=text]").focus(),
      u: () => (location.hash = "#/"),
    },
  };
}

function settings(queue) {
  const parts = [
    `visibility timeout ${span(queue.visibility_ms)}`,
    `retention ${span(queue.retention_ms)}`,
    queue.delay_ms ? `delay ${span(queue.delay_ms)}` : null,
    queue.dead_letter_queue ? `to ${queue.dead_letter_queue} after ${plural(queue.max_receive_count, "receive")}` : null,
    queue.waiting ? `${plural(queue.waiting, "receiver")} waiting` : null,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Where a message is, and why it is not visible. */
function stateOf(message, now) {
  const left = message.until === null ? "" : `${span(Math.max(0, message.until - now))} more`;
  switch (message.phase) {
    case "in_flight": return `in flight${message.worker ? ` at ${message.worker}` : ""}, ${left}`;
    case "delayed": return `delayed, ${left}`;
    case "blocked": return "held back by its group";
    default: return "visible";
  }
}

/** How a redrive stands, or how it ended and what it left. */
function redriveText(queue) {
  const { task } = queue;
  const moved = plural(task.moved, "message");
  const redrive = `The redrive to ${task.destination ?? "where each came from"}`;
  const others = task.moved < task.to_move ? ` Of the ${count(task.to_move)} that were visible when it began, the others left in another way or are in flight.` : "";
  const later = queue.visible ? ` It does not move what became visible after its end.` : "";
  switch (task.status) {
    case "RUNNING": return `${redrive}${task.per_second ? `, ${task.per_second} per second,` : ""} is running: ${count(task.moved)} of ${count(task.to_move)} moved`;
    case "COMPLETED": return `${redrive} is completed, ${moved} moved.${others}${later}`;
    case "FAILED": return `${redrive} has failed, ${moved} moved: ${task.failure}. The others stay.`;
    case "CANCELLED": return `${redrive} was cancelled, ${moved} moved. The others stay.`;
    default: return `${redrive} is being cancelled, ${moved} moved.`;
  }
}

function redriveProgress(node, queue, readOnly) {
  const { task } = queue;
  node.hidden = !task;
  if (!task) return;
  if (!node.childElementCount) {
    node.append(el("progress", { "aria-label": "Redrive" }), el("span"), el("button", { type: "button", id: "cancel-redrive" }, "Cancel the redrive…"));
    node.lastElementChild.addEventListener("click", () => act.cancelRedrive(node.queue));
  }
  node.queue = queue;
  const [bar, text, button] = node.children;
  const running = task.status === "RUNNING";
  bar.hidden = !running;
  setAttribute(bar, "max", Math.max(1, task.to_move));
  setAttribute(bar, "value", Math.min(task.moved, Math.max(1, task.to_move)));
  setText(text, redriveText(queue));
  setAttribute(text, "class", task.status === "FAILED" ? "error" : null);
  button.hidden = readOnly || !running;
}

/** The filter; `changed` gets the fields that have a value. */
function filterForm(query, changed) {
  const option = ([value, text]) => el("option", { value }, text);
  const fields = {
    phase: el("select", { name: "phase" }, option(["", "any"]), ...Object.entries(PHASES).map(option)),
    group: el("input", { name: "group", list: "groups", autocomplete: "off", size: "14" }),
    error: el("input", { name: "error", autocomplete: "off", size: "18" }),
    text: el("input", { name: "text", type: "search", autocomplete: "off", size: "22" }),
    sort: el("select", { name: "sort" }, ...Object.entries({ "": "oldest first", newest: "newest first", receives: "most receives", deadline: "next deadline", largest: "largest" }).map(option)),
  };
  const names = { phase: "State", group: "Group", error: "Error contains", text: "Body or id contains", sort: "Order" };
  const labels = Object.entries(fields).map(([name, field]) => el("label", { class: name }, el("span", {}, names[name]), field));
  const list = el("datalist", { id: "groups" });
  const node = el("form", { class: "filter", role: "search", "aria-label": "Messages" }, ...labels, list);
  const values = () => Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value || (field.placeholder ? "" : null)]));
  let timer = null;
  const now = () => {
    clearTimeout(timer);
    timer = null;
    // The address may be that of another view by now.
    if (node.isConnected) changed(values());
  };
  const soon = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(now, wait);
  };
  node.addEventListener("input", (event) => soon(event.target.tagName === "SELECT" ? 0 : 250));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  const show = (query) => {
    for (const [name, field] of Object.entries(fields)) {
      const value = query.get(name) ?? "";
      if (field !== document.activeElement && field.value !== value) field.value = value;
    }
    // An empty group is that of messages without one.
    fields.group.placeholder = query.get("group") === "" ? "no group" : "";
  };
  show(query);
  return {
    node,
    show,
    set(name, value) {
      fields[name].value = value;
      now();
    },
    /** What was typed just now takes effect. */
    flush: () => timer !== null && now(),
    groups: (entries) => keyed(list, entries, (entry) => entry.text, (entry) => el("option", { value: entry.text })),
  };
}

/** One message: what it is and what happened to it. */
export function messageView(queue, id, query) {
  const up = queueLink(queue, query.size ? `?${query}` : "");
  const [state, fields, events] = [el("p", { class: "state" }), el("dl", { class: "fields" }), el("ol", { class: "life" })];
  const [body, cut, attributes] = [el("pre", { class: "body", tabindex: "0", "aria-label": "Body" }), el("p", { class: "muted" }), el("div")];
  const pretty = el("button", { type: "button", id: "pretty", "aria-pressed": "false", hidden: true }, "As JSON");
  const remove = el("button", { type: "button", id: "delete", hidden: true, class: "danger" }, "Delete…");
  const [gone, lifeNote] = [el("p", { class: "error", hidden: true }), el("p", { class: "muted" })];
  const node = el(
    "div", {},
    el("p", { class: "path" }, el("a", { href: "#/" }, "Queues"), " / ", el("a", { href: up }, queue), " /"),
    el("div", { class: "title" }, heading(el("span", { class: "mono id" }, id)), remove),
    gone, state, fields,
    el("section", {}, el("div", { class: "bar" }, el("h2", {}, "Body"), el("span", { class: "grow" }), pretty), body, cut, attributes),
    el("section", {}, el("h2", {}, "Life"), events, lifeNote),
  );
  let [latest, text, asJson, busy] = [null, "", false, false];
  remove.addEventListener("click", () => act.deleteMessage(queue, id).then(load));
  pretty.addEventListener("click", () => {
    asJson = !asJson;
    setAttribute(pretty, "aria-pressed", asJson);
    showBody();
  });

  function showBody() {
    setText(body, asJson && isJson(text) ? indented(text) : text);
  }

  function show({ at, message, content, life, shown_bytes }) {
    const holder = message ?? {};
    const sent = content ?? {};
    setText(state, message ? stateOf(message, at) : `not in ${queue} any more${life?.queue ? `; it is in ${life.queue}` : ""}`);
    state.className = `state phase ${holder.phase ?? "gone"}`;
    text = sent.body ?? "";
    const length = sent.body_bytes ?? 0;
    const reason = holder.reason ?? life?.reason ?? null;
    const source = sent.dead_letter_source?.split(":").pop() ?? null;
    const rows = [
      ["Failed last because of", reason === null ? null : oneLine(reason), "reason"], ["Group", sent.group ?? null],
      ["Receives", message ? count(message.receives) : null], ["Sent", message ? time(message.sent) : null],
      ["In this queue since", message && message.arrived !== message.sent ? time(message.arrived) : null],
      ["Dead letter of", source], ["Sequence number", holder.sequence ?? null],
      ["Deduplication id", sent.deduplication_id ?? null], ["Trace header", sent.trace_header ?? null],
      ["Expires", message ? `in ${span(message.expires - at)}` : null], ["Body", bytes(length)],
    ].filter((row) => row[1] !== null);
    keyed(fields, rows, (row) => row[0], ([name, , kind]) => {
      const value = el("dd", { class: kind });
      const pair = el("div", {}, el("dt", {}, name), value);
      pair.update = (row) => setText(value, row[1]);
      return pair;
    });
    showBody();
    const all = new TextEncoder().encode(text).length >= length;
    setText(cut, all ? "" : `These are the first ${bytes(Math.min(shown_bytes, new TextEncoder().encode(text).length))} of ${bytes(length)}.`);
    pretty.hidden = !isJson(text);
    showAttributes(attributes, sent.attributes ?? null);
    showLife(life);
  }

  function showLife(life) {
    const list = life?.events ?? [];
    keyed(events, list.map((event, index) => ({ event, index, before: list[index - 1] })), ({ event, index }) => `${index} ${event.at} ${event.what}`, () => {
      const [when, what, more] = [el("time", { class: "mono" }), el("span"), el("span", { class: "muted" })];
      const reason = el("span", { class: "reason" });
      const item = el("li", {}, when, el("div", {}, what, more, reason));
      item.update = ({ event, before }) => {
        setText(when, time(event.at));
        setAttribute(item, "class", event.what.split(" ")[0]);
        setText(what, event.what + (event.times > 1 ? ` ×${count(event.times)}` : ""));
        const parts = [
          event.receive_count === null ? null : `receive ${event.receive_count}`,
          event.until === null ? null : `until ${time(event.until).slice(11, 19)}`,
          before && before.queue !== event.queue ? `in ${event.queue}` : null,
          before ? null : `in ${event.queue}`,
          before && event.at > before.at ? `+${span(event.at - before.at)}` : null,
        ];
        setText(more, ` ${parts.filter(Boolean).join(" · ")}`);
        setText(reason, event.reason === null ? "" : oneLine(event.reason));
      };
      return item;
    });
    const lost = life?.dropped ? `${plural(life.dropped, "earlier event")} ${life.dropped === 1 ? "was" : "were"} dropped.` : "Earlier events were dropped, or happened before the dashboard watched.";
    setText(lifeNote, life === null ? "Its events were dropped, or happened before the dashboard watched." : life.complete ? "" : lost);
  }

  async function load() {
    if (busy) return;
    busy = true;
    const answer = await read(`/api/queues/${encodeURIComponent(queue)}/messages/${encodeURIComponent(id)}`);
    busy = false;
    gone.hidden = answer.ok;
    remove.hidden = !answer.ok || latest?.read_only !== false || answer.json.message === null;
    if (answer.ok) show(answer.json);
    else setText(gone, answer.json.error);
  }

  return {
    node,
    title: id.slice(0, 8),
    update(overview) {
      latest = overview;
      load();
    },
    keys: { u: () => (location.hash = up) },
  };
}

function showAttributes(node, list) {
  const key = JSON.stringify(list);
  if (node.dataset.shown === key) return;
  node.dataset.shown = key;
  if (list === null) {
    node.replaceChildren(el("p", { class: "muted" }, "Its attributes are not kept now that it is gone."));
    return;
  }
  const columns = [{ name: "Attribute" }, { name: "Type" }, { name: "Value", kind: "wide" }];
  const rows = list.map((attribute) => {
    const value = attribute.value === null ? bytes(attribute.bytes) : attribute.value;
    const texts = [attribute.name, attribute.type, value];
    return el("tr", {}, ...columns.map((column, index) => cell(column, el("bdi", { class: "mono" }, texts[index]))));
  });
  node.replaceChildren(...(list.length ? [table("Attributes", columns, el("tbody", {}, ...rows))] : []));
}

/** All runners, and their jobs. */
export function workersView() {
  const columns = [
    { name: "Message" }, { name: "Group", kind: "name" }, { name: "Receives", kind: "number" }, { name: "Running", kind: "number" },
    { name: "Lease left", kind: "number" }, { name: "Progress", kind: "wide" },
  ];
  const list = el("div", { class: "workers" });
  const note = el("p", { class: "muted" });
  const node = el("div", {}, el("div", { class: "title" }, heading("Workers")), list, note);

  function job(runner, job) {
    const cells = columns.map((column) => cell(column));
    cells[0].append(el("a", { class: "row mono", href: messageLink(runner.queue, job.message_id), title: job.message_id }, job.message_id.slice(0, 8)));
    const tr = el("tr", {}, ...cells);
    tr.update = (job) => {
      setOrNone(cells[1], job.group, "none");
      [count(job.receives), span(job.running_ms), span(job.lease_left_ms)].forEach((text, index) => setText(cells[index + 2], text));
      setOrNone(cells[5], job.timed_out ? "timed out, and runs on" : job.progress, "none reported");
    };
    return tr;
  }

  function card(runner) {
    const [state, facts, body] = [el("span", { class: "tag" }), el("p", { class: "muted" }), el("tbody")];
    const toggle = el("button", { type: "button" });
    const jobs = table(`Jobs of ${runner.name}`, columns, body, "two");
    const idle = el("p", { class: "muted" }, "No job in progress.");
    const section = el(
      "section", { "aria-label": runner.name },
      el("div", { class: "bar" }, el("h2", {}, runner.name), state, el("a", { href: queueLink(runner.queue) }, runner.queue), el("span", { class: "grow" }), toggle),
      facts, el("div", { class: "jobs" }, jobs, idle),
    );
    let current = runner;
    toggle.addEventListener("click", () => act.pauseOrResume(current));
    section.update = ({ runner, readOnly }) => {
      current = runner;
      setText(state, runner.state);
      setAttribute(state, "class", `tag ${runner.state}`);
      const parts = [
        `${runner.in_progress} of ${runner.concurrency} busy`, runner.backlog ? `${count(runner.backlog)} in the backlog` : null,
        `${count(runner.succeeded)} done`, `${count(runner.failed)} failed`, runner.panicked ? `${count(runner.panicked)} panicked` : null,
        runner.timed_out ? `${count(runner.timed_out)} timed out` : null,
        runner.succeeded + runner.failed ? `median ${span(runner.median_ms)}, 99 % ${span(runner.p99_ms)}` : null,
      ];
      setText(facts, parts.filter(Boolean).join(" · "));
      toggle.hidden = readOnly || !["running", "paused"].includes(runner.state);
      const verb = runner.state === "paused" ? "Resume" : "Pause";
      setText(toggle, `${verb}…`);
      setAttribute(toggle, "aria-label", `${verb} ${oneLine(runner.name)}`);
      // Jobs come and go: what is below them stays where it is.
      jobs.parentElement.style.minHeight = `${48 + 36 * Math.min(runner.concurrency, 6)}px`;
      [jobs.hidden, idle.hidden] = [runner.jobs.length === 0, runner.jobs.length > 0];
      keyed(body, runner.jobs, (job) => job.message_id, (it) => job(runner, it));
    };
    return section;
  }

  return {
    node,
    title: "Workers",
    update(overview) {
      const items = overview.runners.map((runner) => ({ runner, readOnly: overview.read_only }));
      keyed(list, items, ({ runner }) => runner.name, ({ runner }) => card(runner));
      setText(note, items.length ? "" : "There is no worker.");
    },
    keys: { u: () => (location.hash = "#/") },
  };
}
