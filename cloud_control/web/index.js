/* The grid of live streams, kept true by the directory's news. */
import { ask, badge, categories, element, followDirectory, make, say, time, whenLanguageChanges, write } from "/web/site.js";

const SVG = "http://www.w3.org/2000/svg";
const streams = new Map();
const cards = new Map();
const query = new URLSearchParams(location.search);
let category = Number(query.get("category") ?? 0);
let names = [];

element("q").value = query.get("q") ?? "";

/* A picture made of the stream's id alone: squares, as a veil would leave them. */
function art(id, kind) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 16 9");
  picture.setAttribute("preserveAspectRatio", "xMidYMid slice");
  picture.setAttribute("aria-hidden", "true");
  let seed = 7 + kind * 101;
  for (const letter of id) seed = (seed * 31 + letter.codePointAt(0)) >>> 0;
  const hue = (kind * 47 + (seed % 40)) % 360;
  for (let cell = 0; cell < 40; cell += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const square = document.createElementNS(SVG, "rect");
    const place = { x: (cell % 8) * 2, y: Math.floor(cell / 8) * 2, width: 2.02, height: 2.02 };
    for (const [name, value] of Object.entries(place)) square.setAttribute(name, value);
    square.setAttribute("fill", `hsl(${hue} 38% ${14 + (seed >>> 24) / 9}%)`);
    picture.append(square);
  }
  return picture;
}

function makeCard(one) {
  const link = make("a", { className: "card", href: `/watch/${one.id}` },
    make("span", { className: "art" }, art(one.id, one.category), make("span", { className: "still" }),
      make("span", { className: "state" })),
    make("span", { className: "words" },
      make("span", { className: "name" }), make("span", { className: "quiet facts" })));
  return make("li", {}, link);
}

/* What viewers were shown some seconds ago; the last one stays until the next is there. */
function still(place, one) {
  if (place.dataset.shown === (one.thumbnail ?? "")) return;
  place.dataset.shown = one.thumbnail ?? "";
  if (!one.thumbnail) { place.replaceChildren(); return; }
  const alt = say("pictureOf", { title: one.title });
  const picture = make("img", { src: one.thumbnail, alt, width: 320, height: 180, decoding: "async" });
  picture.addEventListener("load", () => {
    if (place.dataset.shown === one.thumbnail) place.replaceChildren(picture);
  });
}

function refresh(card, one) {
  still(card.querySelector(".still"), one);
  const picture = card.querySelector(".still img");
  if (picture) picture.alt = say("pictureOf", { title: one.title });
  card.querySelector(".state").replaceChildren(badge(one.state));
  write(card.querySelector(".name"), one.title);
  const kind = names.find((known) => known.id === one.category)?.name ?? "";
  const facts = [kind, say("viewers", { n: one.viewers }), say("since", { at: time(one.started_at) })];
  card.querySelector(".facts").replaceChildren(...facts.map((text) => make("span", { textContent: text })));
}

function chips() {
  const live = (id) => [...streams.values()].filter((one) => id === 0 || one.category === id).length;
  const focused = document.activeElement?.dataset.category;
  const all = [{ id: 0, name: say("all") }, ...names];
  element("categories").replaceChildren(...all.map(({ id, name }) => {
    const chip = make("button", { type: "button", ariaPressed: String(id === category), data: { category: id } }, name);
    if (live(id)) chip.append(make("b", { textContent: live(id) }));
    chip.addEventListener("click", () => { category = id; show(); });
    return chip;
  }));
  if (focused !== undefined) element("categories").querySelector(`[data-category="${focused}"]`)?.focus();
}

function show() {
  const text = element("q").value.trim().toLocaleLowerCase();
  const fitting = [...streams.values()]
    .filter((one) => (category === 0 || one.category === category) && one.title.toLocaleLowerCase().includes(text))
    .sort((one, other) => other.started_at - one.started_at || one.id.localeCompare(other.id));
  const list = element("streams");
  for (const [id, card] of cards) {
    if (!fitting.some((one) => one.id === id)) { card.remove(); cards.delete(id); }
  }
  fitting.forEach((one, place) => {
    if (!cards.has(one.id)) cards.set(one.id, makeCard(one));
    const card = cards.get(one.id);
    refresh(card, one);
    if (list.children[place] !== card) list.insertBefore(card, list.children[place] ?? null);
  });
  chips();
  write(element("count"), fitting.length ? say("found", { n: fitting.length }) : "");
  element("empty").hidden = fitting.length > 0;
  write(element("empty"), say(streams.size ? "nothingFound" : "nothing"));
  const kept = new URLSearchParams();
  if (category) kept.set("category", category);
  if (text) kept.set("q", element("q").value.trim());
  history.replaceState(null, "", kept.size ? `/?${kept}` : "/");
}

async function find() {
  try {
    names = await categories();
    const found = [];
    let after = "";
    do {
      const page = await ask(`/v1/directory?limit=500&after=${encodeURIComponent(after)}`);
      found.push(...page.streams);
      after = page.next;
    } while (after);
    streams.clear();
    for (const one of found) streams.set(one.id, one);
    write(element("contact"), "");
    show();
  } catch {
    lost();
  }
}

function lost() {
  write(element("contact"), say("noContact"));
  for (const [id, one] of streams) streams.set(id, { ...one, state: null });
  show();
}

const load = followDirectory({
  begin: find,
  news: (kind, one) => {
    if (kind === "ended") streams.delete(one.id);
    else streams.set(one.id, one);
    show();
  },
  lost,
});
element("q").addEventListener("input", show);
element("search").addEventListener("submit", (event) => { event.preventDefault(); show(); });
whenLanguageChanges(() => { document.title = `${say("watch")} – Veilcast`; if (names.length) load(); });
