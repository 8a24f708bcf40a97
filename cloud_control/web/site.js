/* What all pages share: words, elements, the badge, the control plane. */
import { WORDS } from "/web/words.js";

const SIGNS = { PROTECTED: "✔", DEGRADED: "▦", HELD: "■", OFF: "⚠", UNKNOWN: "?" };
const CHOSEN = "veilcast.language";
const onLanguage = [];

let language = stored() ?? (navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en");

function stored() {
  try {
    const found = localStorage.getItem(CHOSEN);
    return found in WORDS ? found : null;
  } catch {
    return null;
  }
}

export const element = (id) => document.getElementById(id);
export const say = (key, values = {}) =>
  (WORDS[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
export const inLanguage = () => language;
export const whenLanguageChanges = (work) => onLanguage.push(work);
export const time = (ms) =>
  new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(ms);
export const dateTime = (ms) =>
  new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "medium" }).format(ms);

function translate() {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = say(one.dataset.t);
  for (const one of document.querySelectorAll("[data-t-label]")) one.ariaLabel = say(one.dataset.tLabel);
  for (const one of document.querySelectorAll("[data-t-hint]")) one.placeholder = say(one.dataset.tHint);
  element("language").lang = language === "en" ? "ko" : "en";
  for (const work of onLanguage) work();
}

/* Written only when it changes: screen readers say every change of a live region. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(made.dataset, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function badge(state) {
  const known = state ?? "UNKNOWN";
  const sign = make("i", { ariaHidden: "true", textContent: SIGNS[known] });
  return make("span", { className: "badge", data: { state: known } }, sign, say(known));
}

export async function categories() {
  const found = await ask("/v1/categories");
  return found.categories.map((one) => ({ ...one, name: one[language] }));
}

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/* The answer's JSON. Raises Refused with the control plane's own words. */
export async function ask(path, { method = "GET", body, token } = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  const found = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused(answer.status, found?.detail ?? answer.statusText);
  return found;
}

/* The public directory's news. begin: loads what is there, after each connection and whenever the
   function that is returned is called; what is told meanwhile is newer than what it finds, so it is
   told again. A page that was left may be kept for the way back: it must not keep one of the browser's
   few connections. */
export function followDirectory({ begin, news, lost }) {
  const waiting = new Set();
  let events, polls;
  const load = async () => {
    const since = [];
    waiting.add(since);
    await begin();
    waiting.delete(since);
    for (const [kind, one] of since) news(kind, one);
  };
  const open = () => {
    events = new EventSource("/v1/directory/events");
    events.onopen = load;
    events.onerror = lost;
    events.addEventListener("missed", load);
    events.addEventListener("poll", (event) => {
      events.close();
      polls = setInterval(load, JSON.parse(event.data).ms);
    });
    for (const kind of ["added", "changed", "ended"]) {
      events.addEventListener(kind, (event) => {
        const one = JSON.parse(event.data);
        for (const since of waiting) since.push([kind, one]);
        news(kind, one);
      });
    }
  };
  open();
  addEventListener("pagehide", () => { events.close(); clearInterval(polls); });
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  return load;
}

element("language").addEventListener("click", () => {
  language = language === "en" ? "ko" : "en";
  try {
    localStorage.setItem(CHOSEN, language);
  } catch { /* then it holds for this page alone */ }
  translate();
});
queueMicrotask(translate);
