// Actions: what the page asks before each, and what it sends.

import { note, read, refresh } from "./page.js";
import { count, el, plural, setText } from "./show.js";

/**
 * Asks in a dialog of its own. `submit` gets the values of the fields; its answer is a text that says what is wrong, and
 * then the dialog stays, or nothing. Resolves when the dialog is closed.
 */
function ask({ title, lines, verb, danger = false, fields = [], submit }) {
  // One that was closed just now may still be there.
  document.getElementById("dialog")?.remove();
  const texts = el("div");
  const error = el("p", { class: "error", id: "dialog-error", role: "alert", hidden: true });
  const confirm = el("button", { type: "submit", id: "dialog-submit", class: danger ? "danger" : "primary" });
  const cancel = el("button", { type: "button", id: "dialog-cancel", onclick: () => dialog.close() }, "Cancel");
  const say = (lines, verb) => {
    texts.replaceChildren(...lines.map((line) => el("p", {}, line)));
    setText(confirm, verb);
  };
  say(lines, verb);
  const labels = fields.map(({ name, label, field, hint }) => {
    field.name = name;
    return el("label", {}, el("span", {}, label), field, hint ? el("small", { class: "muted" }, hint) : null);
  });
  const work = async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    const wrong = await submit(Object.fromEntries(fields.map(({ name, field }) => [name, field.value])), say);
    confirm.disabled = false;
    if (!wrong) return dialog.close();
    setText(error, wrong);
    error.hidden = false;
  };
  const heading = el("h2", { id: "dialog-title" }, title);
  const form = el("form", { onsubmit: work }, heading, texts, ...labels, error, el("div", { class: "buttons" }, cancel, confirm));
  const dialog = el("dialog", { id: "dialog", "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
    // It focuses the first field, or else Cancel: Enter does no harm that was not read.
    dialog.showModal();
  });
}

async function post(action) {
  const answer = await read("/api/action", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(action),
  });
  if (answer.ok) {
    note(answer.json.done);
    refresh();
  }
  return answer;
}

/** Carries out an action; answers with what is wrong, if anything is. */
async function run(action) {
  const answer = await post(action);
  return answer.ok ? null : answer.json.error;
}

export const purge = (queue) =>
  ask({
    title: `Purge ${queue.name}?`,
    lines: [
      `All of its ${plural(queue.visible + queue.in_flight + queue.delayed, "message")} are deleted, those in flight and delayed too, and those that come in until then.`,
      "This cannot be undone.",
    ],
    verb: "Purge",
    danger: true,
    submit: () => run({ action: "purge", queue: queue.name }),
  });

export const deleteMessage = (queue, id) =>
  ask({
    title: "Delete this message?",
    lines: [`Message ${id} of ${queue} is deleted, also if a worker has it. This cannot be undone.`],
    verb: "Delete",
    danger: true,
    submit: () => run({ action: "delete", queue, message_id: id }),
  });

/** Deletes the messages that the confirmation counts, and no other. The filter is all of the query that selects. */
export async function deleteMatching(name, query) {
  const filter = new URLSearchParams(query);
  ["page", "size", "sort"].forEach((name) => filter.delete(name));
  const names = { phase: "state", group: "group", error: "error contains", text: "body or id contains" };
  const words = [...filter].map(([name, value]) => `${names[name] ?? name}: ${value === "" ? "none" : value.replace("_", " ")}`);
  const select = () => read(`/api/queues/${encodeURIComponent(name)}/selection?${filter}`);
  const texts = (number) => [
    words.length ? `The filter selects ${plural(number, "message")} (${words.join("; ")}).` : `There is no filter: it selects all ${plural(number, "message")}.`,
    "They are deleted, also if a worker has them; messages that come later are not. This cannot be undone.",
  ];
  const verb = (number) => `Delete ${plural(number, "message")}`;
  const address = location.hash;
  let selection = await select();
  if (location.hash !== address) return;
  if (!selection.ok) return note(selection.json.error, true);
  if (selection.json.count === 0) return note("The filter selects no message.");
  return ask({
    title: `Delete messages of ${name}?`,
    lines: texts(selection.json.count),
    verb: verb(selection.json.count),
    danger: true,
    submit: async (_, say) => {
      const answer = await post({ action: "delete_matching", queue: name, selection: selection.json.selection });
      if (answer.ok) return null;
      if (answer.status === 409) {
        selection = await select();
        if (selection.ok) say(texts(selection.json.count), verb(selection.json.count));
      }
      return answer.status === 409 ? "The count was too old and was made anew." : answer.json.error;
    },
  });
}

export function redrive(queue, overview) {
  const option = (value, text) => el("option", { value }, text);
  const others = overview.queues.filter((other) => other.fifo === queue.fifo && other.name !== queue.name);
  return ask({
    title: `Redrive ${queue.name}?`,
    lines: [`Its ${plural(queue.visible, "visible message")} are moved, each as a new message with no receives.`],
    verb: "Redrive",
    fields: [
      { name: "destination", label: "To", field: el("select", {}, option("", "where each came from"), ...others.map((other) => option(other.name, other.name))) },
      { name: "per_second", label: "Messages per second", field: el("input", { type: "number", min: "1", max: "500", step: "1", placeholder: "as fast as possible" }), hint: "1 to 500" },
    ],
    submit: ({ destination, per_second }) =>
      run({ action: "redrive", queue: queue.name, destination: destination || null, per_second: per_second ? Number(per_second) : null }),
  });
}

export const cancelRedrive = (queue) =>
  ask({
    title: `Cancel the redrive of ${queue.name}?`,
    lines: [`${count(queue.task.moved)} of ${plural(queue.task.to_move, "message")} have moved, and stay where they are.`],
    verb: "Cancel the redrive",
    submit: () => run({ action: "cancel", task_handle: queue.task.handle ?? "" }),
  });

export function pauseOrResume(runner) {
  const paused = runner.state === "paused";
  return ask({
    title: `${paused ? "Resume" : "Pause"} ${runner.name}?`,
    lines: [paused ? `It receives messages of ${runner.queue} again.` : `It receives nothing new from ${runner.queue}; the ${plural(runner.in_progress, "job")} in progress go on to their end.`],
    verb: paused ? "Resume" : "Pause",
    submit: () => run({ action: paused ? "resume" : "pause", runner: runner.name }),
  });
}

/** `name = value`, or `name: type = value`, a line each. */
function attributesOf(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.map((line) => {
    const [, name, type, value] = /^\s*([^\s:=]+)\s*(?::\s*([^\s=]+)\s*)?=\s?(.*)$/.exec(line) ?? [];
    if (!name) throw new Error(`An attribute is written as name = value, not as ${line}`);
    return { name, type: type ?? "String", value };
  });
}

export function send(queue) {
  const field = (tag, attributes = {}) => el(tag, { autocomplete: "off", ...attributes });
  return ask({
    title: `Send a message to ${queue.name}`,
    lines: [],
    verb: "Send",
    fields: [
      { name: "body", label: "Body", field: field("textarea", { rows: "5", required: true, spellcheck: "false", class: "mono" }) },
      { name: "group_id", label: "Group id", field: field("input", { required: queue.fifo }), hint: queue.fifo ? null : "optional" },
      ...(queue.fifo ? [{ name: "deduplication_id", label: "Deduplication id", field: field("input") }] : []),
      ...(queue.fifo ? [] : [{ name: "delay", label: "Delay in seconds", field: field("input", { type: "number", min: "0", max: "900", step: "1" }), hint: "optional, at most 900" }]),
      { name: "attributes", label: "Attributes", field: field("textarea", { rows: "2", spellcheck: "false", class: "mono" }), hint: "optional, one in a line: name = value, or name: Number = 3" },
    ],
    submit: async (values) => {
      let attributes;
      try {
        attributes = attributesOf(values.attributes);
      } catch (error) {
        return error.message;
      }
      return run({
        action: "send", queue: queue.name, body: values.body, attributes,
        group_id: values.group_id || null, deduplication_id: values.deduplication_id || null,
        delay_seconds: values.delay ? Number(values.delay) : null,
      });
    },
  });
}
