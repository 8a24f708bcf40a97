/* Going live: a stream on one of the operator's agents. Raw video goes to the agent, never here. */
import { badge, categories, element, make, say, write } from "/web/site.js";
import { asOperator, mayChange, operate, sure } from "/web/operator.js";
import { arrival, deskOf, keepCamera, randomKey, standing, veil } from "/web/desk.js";

const PORTS = { push: "1936", camera: "8889" };
let made = null; // { id, port, host, key } of the stream made last
const answers = new Map(); // what became of a panic, by stream

const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function options(id, found) {
  const list = element(id);
  const before = list.value;
  list.replaceChildren(...found.map(([value, text]) => make("option", { value, textContent: text })));
  if (found.some(([value]) => String(value) === before)) list.value = before;
}

/* Show what the chosen source needs. */
function which() {
  const source = chosen("source");
  const [waits, camera] = [source !== "ref", source === "camera"];
  element("push").hidden = !waits;
  element("byname").hidden = waits;
  element("ref").required = !waits;
  element("port").disabled = !waits;
  if (Object.values(PORTS).includes(element("port").value)) element("port").value = PORTS[source] ?? PORTS.push;
  const afar = camera && chosen("reach") !== "127.0.0.1";
  element("cameraatrow").hidden = element("cameraatwhy").hidden = !afar;
  element("cameraat").required = afar;
  element("reachwho").dataset.t = camera ? "reachCamera" : "reach";
  write(element("reachwho"), say(element("reachwho").dataset.t));
}

/* The source to ask for, and where a camera would be sent. */
function wanted(key) {
  const [kind, host, port] = [chosen("source"), chosen("reach"), element("port").value];
  if (kind === "ref") return { source: { ref: element("ref").value } };
  if (kind === "push") return { source: { url: `listen:rtmp://${host}:${port}/live`, key } };
  const scheme = host === "127.0.0.1" ? "http" : "https"; // browsers open cameras to no other
  const there = host === "127.0.0.1" ? host : element("cameraat").value.trim();
  return { source: { url: `listen:${scheme}://${host}:${port}/whip`, key }, at: `${scheme}://${there}:${port}` };
}

function showMade() {
  element("made").hidden = made === null;
  if (made === null) return;
  const here = made.host === "127.0.0.1";
  element("addressrow").hidden = here;
  element("server").value = `rtmp://${here ? made.host : element("address").value.trim()}:${made.port}/live`;
  element("key").value = made.key;
  element("desk").href = `/live/${made.id}`;
}

async function create(event) {
  event.preventDefault();
  const [kind, host, port, key] = [chosen("source"), chosen("reach"), element("port").value, randomKey()];
  const { source, at } = wanted(key);
  const body = {
    agent: element("agent").value, title: element("name").value.trim(),
    category: Number(element("category").value), source,
  };
  let one;
  try {
    one = await asOperator("/v1/streams", { method: "POST", body });
  } catch (problem) {
    write(element("problem"), problem.message.includes("no ingest") ? say("anywhere") : say("failedAsk", { why: problem.message }));
    return;
  }
  write(element("problem"), "");
  if (kind === "camera") {
    keepCamera(one.id, at, key);
    location.assign(deskOf(one));
    return;
  }
  made = kind === "push" ? { id: one.id, host, port, key } : null;
  showMade();
  element("create").reset();
  which();
  await load();
  if (made) element("made").focus();
}

async function panic(one) {
  answers.set(one.id, await veil(one));
  await load();
}

async function end(one) {
  if (!(await sure(say("endSure"), say("end")))) return;
  await asOperator(`/v1/streams/${one.id}`, { method: "DELETE" });
  await load();
}

function streamItem(one) {
  const head = make("div", { className: "row" }, make("h3", { textContent: one.title }), badge(one.state));
  const facts = make("p", { className: "quiet", textContent: `${one.agent} · ${one.id} · ${standing(one)}` });
  const stop = make("button", { type: "button", className: "danger panic", textContent: say("panic"), data: { panic: one.id } });
  const desk = make("a", { className: "button", href: deskOf(one), textContent: say("desk") });
  const open = make("a", { className: "button", href: `/watch/${one.id}`, textContent: say("open") });
  const finish = make("button", { type: "button", textContent: say("end"), data: { end: one.id } });
  stop.addEventListener("click", () => panic(one));
  finish.addEventListener("click", () => end(one));
  const told = make("p", { className: "note", role: "status", textContent: answers.get(one.id) ?? "" });
  return make("li", {}, head, facts, make("div", { className: "row" }, stop, desk, open, finish), told);
}

function showStreams(streams) {
  const focused = document.activeElement?.dataset ?? {};
  const items = streams.map(streamItem);
  element("mine").replaceChildren(...(items.length ? items : [make("li", { textContent: say("noStreams") })]));
  const kind = ["panic", "end"].find((name) => name in focused);
  if (kind) element("mine").querySelector(`[data-${kind}="${focused[kind]}"]`)?.focus();
}

async function load() {
  document.title = `${say("golive")} – Veilcast`;
  const [{ agents }, { streams }, kinds] = await Promise.all([
    asOperator("/v1/agents?limit=500"), asOperator("/v1/streams?limit=500"), categories(),
  ]);
  const there = agents.filter((one) => !one.revoked);
  options("agent", there.map((one) => [one.id, `${one.id} (${say(one.online ? "online" : "offline")})`]));
  options("category", kinds.map((one) => [one.id, one.name]));
  element("create").querySelector("button").disabled = !mayChange() || there.length === 0;
  showStreams(streams);
}

async function copy(event) {
  const field = element(event.target.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    write(event.target, say("copied"));
  } catch { /* without HTTPS there is no clipboard: it is selected, ready to be copied by hand */ }
}

for (const one of document.querySelectorAll('input[type="radio"]')) one.addEventListener("change", which);
for (const one of document.querySelectorAll("[data-copy]")) one.addEventListener("click", copy);
element("address").addEventListener("input", showMade);
element("test").addEventListener("click", async () => write(element("tested"), await arrival(made.id)));
element("create").addEventListener("submit", create);
operate(load);
