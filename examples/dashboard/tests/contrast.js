// The contrasts of what is shown that are lower than WCAG's AA asks: 4.5 for texts, 3 for large texts, for borders of
// controls and for graphs. What is behind an open dialog is left out, and so are disabled controls.
(() => {
  const root = document.querySelector("dialog[open]") ?? document.body;
  const wrong = new Set();

  /** Red, green, blue and alpha, each from 0 to 1. */
  function parse(color) {
    const numbers = color.match(/[\d.]+(e-?\d+)?/g).map(Number);
    const [r, g, b, alpha = 1] = numbers;
    return color.startsWith("color(") ? [r, g, b, alpha] : [r / 255, g / 255, b / 255, alpha];
  }

  const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3]));

  function behind(element) {
    const layers = [];
    for (let it = element; it; it = it.parentElement) {
      const layer = parse(getComputedStyle(it).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((back, layer) => over(layer, back), [1, 1, 1]);
  }

  function opacity(element) {
    let product = 1;
    for (let it = element; it; it = it.parentElement) product *= Number(getComputedStyle(it).opacity);
    return product;
  }

  function luminance(color) {
    const [r, g, b] = color.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function check(what, element, color, ground, least) {
    const front = parse(color);
    if (front[3] === 0) return;
    const back = behind(ground);
    front[3] *= opacity(element);
    const [dark, light] = [luminance(over(front, back)), luminance(back)].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    const name = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    measured += 1;
    if (contrast < least) wrong.add(`${what} ${name}: ${contrast.toFixed(2)} of ${least}, ${color}`);
  }

  const least = ({ fontSize, fontWeight }) => (parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && fontWeight >= 700) ? 3 : 4.5);
  let measured = 0;
  for (const element of [...root.querySelectorAll("*")]) {
    const box = element.getBoundingClientRect();
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || box.width * box.height <= 1) continue;
    if (element.closest(":disabled, datalist, option")) continue;
    const style = getComputedStyle(element);
    const field = element.matches("input, select, textarea");
    if (field || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) {
      check("text", element, style.color, element, least(style));
    }
    if (element.placeholder) check("placeholder", element, getComputedStyle(element, "::placeholder").color, element, 4.5);
    if ((field || element.matches("button")) && parseFloat(style.borderTopWidth) > 0) {
      check("border", element, style.borderTopColor, element.parentElement, 3);
    }
    if (element.matches("path.line")) check("line", element, style.stroke, element.closest(".chart"), 3);
    if (element.matches(".legend i")) check("legend", element, style.borderTopColor, element, 3);
    if (element.matches("progress")) check("progress", element, style.accentColor, element.parentElement, 3);
    if (element === document.activeElement && style.outlineStyle !== "none") check("focus", element, style.outlineColor, element.parentElement, 3);
    for (const pseudo of ["::before", "::after"]) {
      const part = getComputedStyle(element, pseudo);
      if (part.content === "none" || part.display === "none") continue;
      if (part.content === '""') check("mark", element, part.backgroundColor, element, 3);
      else check("label", element, part.color, element, least(part));
    }
  }
  return { measured, wrong: [...wrong] };
})();
