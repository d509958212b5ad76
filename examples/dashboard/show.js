// How things are shown: elements, texts, numbers and charts. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children; `null` among the children is left out. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : visible(String(child)))));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Sets a text, in which nothing is hidden, if it is another: what is selected in an unchanged text stays selected. */
export function setText(node, text) {
  const value = visible(String(text));
  if (node.textContent !== value) node.textContent = value;
}

export function setAttribute(node, name, value) {
  if (value === null || (value === false && !name.startsWith("aria-"))) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * Makes the children of a parent those of the items, in their order. An element stays the same as long as its key is
 * there, so that focus, selection and scroll stay. If the focused child goes, the one in its place is focused.
 */
export function keyed(parent, items, keyOf, create) {
  const known = parent.keyedChildren ?? (parent.keyedChildren = new Map());
  const active = document.activeElement;
  const focused = [...parent.children].findIndex((child) => child.contains(active));
  const wanted = new Set(items.map(keyOf));
  let lost = false;
  for (const [key, child] of known) {
    if (wanted.has(key)) continue;
    lost ||= child.contains(active);
    child.remove();
    known.delete(key);
  }
  items.forEach((item, index) => {
    const key = keyOf(item);
    let child = known.get(key);
    if (!child) {
      child = create(item);
      known.set(key, child);
    }
    child.update?.(item);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  // An element that is moved loses the focus.
  if (focused < 0 || parent.contains(document.activeElement)) return;
  const next = lost ? parent.children[Math.min(focused, parent.children.length - 1)]?.querySelector("a, button") : active;
  (next ?? document.querySelector("h1"))?.focus({ preventScroll: true });
}

const numbers = new Intl.NumberFormat("en");
export const count = (number) => numbers.format(number);
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** Messages per second. */
export function rate(number) {
  if (number === 0) return "0";
  return number < 10 ? number.toFixed(1) : count(Math.round(number));
}

/** A span in milliseconds, with its two largest units. */
export function span(ms) {
  if (ms === null || ms === undefined) return "unknown";
  if (ms < 0) return `−${span(-ms)}`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const two = (large, small, units) => `${large} ${units[0]}${small ? ` ${small} ${units[1]}` : ""}`;
  if (seconds < 3_600) return two(Math.floor(seconds / 60), seconds % 60, ["min", "s"]);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return two(Math.floor(minutes / 60), minutes % 60, ["h", "min"]);
  return two(Math.floor(minutes / 1_440), Math.floor((minutes % 1_440) / 60), ["d", "h"]);
}

export function bytes(number) {
  if (number < 1_024) return `${number} B`;
  const kib = number / 1_024;
  return kib < 1_024 ? `${kib.toFixed(kib < 10 ? 1 : 0)} KiB` : `${(kib / 1_024).toFixed(1)} MiB`;
}

export function time(ms) {
  const date = new Date(ms);
  const pad = (number, digits = 2) => String(number).padStart(digits, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${day} ${clock}.${pad(date.getMilliseconds(), 3)}`;
}

// All that changes what is beside it or leaves no mark, but line feed and tab; U+2800 is a pattern of no dots.
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * A text in which nothing is hidden, and no mark combines with what is before it. `el` and `setText` make it of every
 * text; made once more it stays the same.
 */
export function visible(text) {
  const shown = text.replace(HIDDEN, (char) => `⟨${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return /^\p{M}/u.test(shown) ? `\u25cc${shown}` : shown;
}

/** The same in one line. */
export const oneLine = (text) => visible(text.replace(/\r?\n/g, " ⏎ ").replace(/\t/g, " "));

export function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A JSON text with a line for each member. Its tokens stay as they are: numbers that are too large, names given twice. */
export function indented(json) {
  let depth = 0;
  // Beyond this depth the indents would be most of the text.
  const line = () => `\n${"  ".repeat(Math.min(depth, 40))}`;
  return json.replace(/\s+|"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]/g, (token) => {
    switch (token[0]) {
      case '"': return token;
      case ",": return `,${line()}`;
      case ":": return ": ";
      case "{": case "[":
        if (token.length > 1) return token[0] + token.at(-1);
        depth += 1;
        return token + line();
      case "}": case "]":
        depth -= 1;
        return line() + token;
      default: return "";
    }
  });
}

/** A chart of messages in and out; `update` takes the points of both. */
export function chart(large = false) {
  const [width, height] = large ? [600, 90] : [120, 28];
  const area = svg("path", { class: "area in" });
  const came = svg("path", { class: "line in" });
  const went = svg("path", { class: "line out" });
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" }, area, came, went);
  const highest = el("span", { class: "highest" });
  const node = el("span", { class: large ? "chart large" : "chart" }, drawing);
  if (large) {
    node.append(highest, el("span", { class: "from" }, "5 min ago"), el("span", { class: "to" }, "now"));
  }
  const path = (points, top) => {
    const x = (index) => ((index * width) / (points.length - 1)).toFixed(1);
    const y = (value) => (height - 1.5 - (value * (height - 4)) / top).toFixed(1);
    return points.map((value, index) => `${index ? "L" : "M"}${x(index)} ${y(value)}`).join("");
  };
  node.update = (pointsIn, pointsOut, label) => {
    // The last point is of a time that is not over.
    const [ins, outs] = [pointsIn.slice(0, -1), pointsOut.slice(0, -1)];
    const top = Math.max(1, ...ins, ...outs);
    const line = path(ins, top);
    setAttribute(came, "d", line);
    setAttribute(area, "d", `${line}L${width} ${height}L0 ${height}Z`);
    setAttribute(went, "d", path(outs, top));
    setAttribute(drawing, "aria-label", label);
    if (large) setText(highest, `${rate(top / 5)}/s`);
  };
  return node;
}

/** Numbers side by side with what they are; `update` takes them in order. */
export function figures(names) {
  const cells = names.map((name) => {
    const value = el("dd", { "aria-label": "loading" }, "…");
    return { value, node: el("div", {}, el("dt", {}, name), value) };
  });
  const node = el("dl", { class: "figures" }, ...cells.map((cell) => cell.node));
  node.update = (values) =>
    values.forEach((text, index) => {
      setText(cells[index].value, text);
      setAttribute(cells[index].value, "aria-label", null);
    });
  return node;
}

/** A table whose cells are named by their columns where it is too narrow for columns. */
export function table(caption, columns, body, kind = "") {
  const heads = columns.map(({ name, kind }) => el("th", { scope: "col", class: kind }, name));
  return el(
    "div",
    { class: `table ${kind}` },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...heads)), body),
  );
}

/** A cell of a column. */
export const cell = ({ name, kind }, ...children) => el("td", { class: kind, "data-label": name }, ...children);
