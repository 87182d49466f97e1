"use strict";

// Text from hosts is shown by textContent alone: it can never become markup. Drawings are markup of
// the report's own, in which such text is escaped; they are read when a host is opened, since
// hundreds of them would keep the page from opening.
const SVG = "http://www.w3.org/2000/svg";
const dialog = document.getElementById("host");
const body = document.getElementById("host-body");
const cards = [...document.querySelectorAll(".hosts button")];
let shown = null;

function put(parent, tag, text = "", className = "") {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

function mark(parent, standing) {
  const word = standing.replaceAll(" ", "-");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "shape");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("class", "mark " + word);
  use.setAttribute("href", "#mark-" + word);
  svg.append(use);
  parent.append(svg);
}

function table(parent, { title, headings, rows }) {
  const frame = put(parent, "div", "", "wide");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", title);
  const made = put(frame, "table");
  put(made, "caption", title);
  const head = put(put(made, "thead"), "tr");
  for (const heading of headings) put(head, "th", heading).scope = "col";
  const rest = put(made, "tbody");
  for (const row of rows) {
    const line = put(rest, "tr");
    for (const cell of row) put(line, "td", cell);
  }
}

function chain(parent, links) {
  put(parent, "h3", "Chain");
  const list = put(parent, "ol", "", "chain");
  for (const [name, standing, said] of links) {
    const item = put(list, "li");
    mark(item, standing);
    put(item, "b", name);
    put(item, "span", standing);
    put(item, "span", said, "quiet");
  }
}

function findings(parent, found) {
  put(parent, "h3", "Findings");
  const list = put(parent, "ul", "", "findings");
  for (const [severity, about, what, means, mend] of found) {
    const item = put(list, "li", "", severity);
    const head = put(item, "h4");
    put(head, "span", severity, "severity");
    head.append(" " + about);
    put(item, "p", what);
    if (means) put(item, "p", means, "quiet");
    if (mend) {
      const line = put(item, "p", "", "mend");
      put(line, "span", "mend", "quiet");
      line.append(" ");
      put(line, "code", mend);
    }
  }
}

function drawing(number) {
  const kept = document.getElementById("drawing-" + number);
  if (!kept) return document.querySelector(`.hosts [data-host="${number}"] svg`).cloneNode(true);
  const read = new DOMParser().parseFromString(kept.textContent, "image/svg+xml");
  return document.adoptNode(read.documentElement);
}

function fill(number) {
  const detail = JSON.parse(document.getElementById("detail-" + number).textContent);
  const name = document.getElementById("host-name");
  name.textContent = "";
  mark(name, detail.standing);
  name.append(detail.name);
  body.replaceChildren();
  put(body, "p", detail.standing + ": " + detail.summary);
  const columns = put(body, "div", "", "columns");
  put(columns, "div", "", "figure").append(drawing(number));
  const words = put(columns, "div");
  chain(words, detail.chain);
  if (detail.facts.length) {
    const facts = put(words, "dl", "", "facts");
    for (const [label, said] of detail.facts) {
      put(facts, "dt", label);
      put(facts, "dd", said);
    }
  }
  if (detail.findings.length) findings(body, detail.findings);
  if (detail.steps.length)
    table(body, {
      title: "What apply would do",
      headings: ["link", "step", "reason", "impact"],
      rows: detail.steps,
    });
  for (const one of detail.tables) table(body, one);
}

function open(number) {
  fill(number);
  shown = number;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  document.getElementById("host-name").focus();
  history.replaceState(null, "", "#host-" + number);
}

function visible() {
  return cards.filter((card) => card.checkVisibility());
}

function move(by) {
  const row = visible().map((card) => card.dataset.host);
  if (row.length) open(row[(row.indexOf(shown) + by + row.length) % row.length]);
}

dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname + location.search);
  // the browser goes back to what opened it, which may have been a finding
  if (document.activeElement.dataset.host === shown) return;
  const card = cards.find((one) => one.dataset.host === shown);
  if (card && card.checkVisibility()) focusCard(card);
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", (event) => {
  if (event.key === "[") move(-1);
  if (event.key === "]") move(1);
});
document.getElementById("close").addEventListener("click", () => dialog.close());
document.getElementById("previous")?.addEventListener("click", () => move(-1));
document.getElementById("next")?.addEventListener("click", () => move(1));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-host]");
  if (button) open(button.dataset.host);
});

// Among hosts the arrow keys go from one to the next; Tab goes past them all.
function focusCard(card) {
  for (const one of cards) one.tabIndex = one === card ? 0 : -1;
  card.focus();
}

function below(from, row, direction) {
  const here = from.getBoundingClientRect();
  const others = row
    .map((card) => [card, card.getBoundingClientRect()])
    .filter(([, box]) => (box.top - here.top) * direction > 1);
  const distance = ([, box]) =>
    Math.abs(box.top - here.top) * 10 + Math.abs(box.left - here.left);
  return others.sort((one, other) => distance(one) - distance(other))[0]?.[0];
}

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && filter && event.target !== filter && !dialog.open) {
    event.preventDefault();
    filter.focus();
    return;
  }
  const card = event.target.closest?.(".hosts button");
  if (!card || event.ctrlKey || event.altKey || event.metaKey) return;
  const row = visible();
  const at = row.indexOf(card);
  const goal = {
    ArrowRight: () => row[at + 1],
    ArrowLeft: () => row[at - 1],
    ArrowDown: () => below(card, row, 1),
    ArrowUp: () => below(card, row, -1),
    Home: () => row[0],
    End: () => row.at(-1),
  }[event.key]?.();
  if (goal) {
    event.preventDefault();
    focusCard(goal);
  }
});

const filter = document.getElementById("filter");
const toggles = [...document.querySelectorAll(".toggle")];

function sift() {
  const words = (filter?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = new Set(
    toggles.filter((one) => one.ariaPressed === "true").map((one) => one.dataset.standing),
  );
  let number = 0;
  for (const card of cards) {
    const item = card.parentElement;
    item.hidden =
      (toggles.length && !wanted.has(item.dataset.standing)) ||
      !words.every((word) => item.dataset.words.includes(word));
    number += !item.hidden;
  }
  for (const section of document.querySelectorAll(".standing"))
    section.hidden = !section.querySelector("li:not([hidden])");
  const output = document.getElementById("shown");
  if (output) output.textContent = `${number} of ${cards.length} shown`;
  document.getElementById("none").hidden = number > 0;
  const first = visible()[0];
  for (const card of cards) card.tabIndex = card === first ? 0 : -1;
}

for (const toggle of toggles)
  toggle.addEventListener("click", () => {
    toggle.ariaPressed = String(toggle.ariaPressed !== "true");
    sift();
  });
filter?.addEventListener("input", sift);
document.getElementById("all").addEventListener("click", () => {
  if (filter) filter.value = "";
  for (const toggle of toggles) toggle.ariaPressed = "true";
  sift();
});
sift();
const asked = /^#host-(\d+)$/.exec(location.hash);
if (asked && cards[asked[1]]) open(asked[1]);
