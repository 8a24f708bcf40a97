/* The fleet as operators see it. */
import { Refused, badge, dateTime, element, make, say, write } from "/web/site.js";
import { asOperator, mayChange, operate, sure } from "/web/operator.js";
import { legend, wavesPicture } from "/web/waves.js";

const CLASSES = ["license_plate", "id_card", "shipping_label"];
const WEEK_MS = 7 * 24 * 3600 * 1000;
const SHOWN = 50;

let protection = null;

function pairs(found) {
  return make("dl", { className: "pair" }, ...found.flatMap(([name, ...value]) =>
    [make("dt", { textContent: name }), make("dd", {}, ...value)]));
}

function agentItem(one) {
  const standing = one.revoked ? "lost" : one.online ? "online" : "offline";
  const state = make("span", { className: "badge", data: { state: one.online ? "PROTECTED" : "HELD" } }, say(standing));
  const streams = Object.entries(one.streams).map(([name, state]) => make("span", { className: "stream" }, badge(state), name));
  const rows = [
    [say("streamsOf"), ...(streams.length ? streams : [say("none")])],
    [say("model"), one.model ? `${one.model.name} ${one.model.version}` : say("none")],
    [say("applied"), say(one.converged ? "upToDate" : "behind")],
    [say("version"), one.agent_version ?? "–"],
  ];
  if (one.update) rows.push([say("update"), `${one.update.version}: ${one.update.step} ${one.update.reason ?? ""}`]);
  if (one.refused) rows.push([say("applied"), say("refusedWhy", { why: one.refused })]);
  const item = make("li", {}, make("div", { className: "row" }, make("h3", { textContent: one.id }), state), pairs(rows));
  if (one.held_back) item.append(make("p", { className: "note", textContent: say("consentNeeded", { n: one.held_back }) }));
  return item;
}

function showAgents(agents) {
  const sum = (of) => agents.reduce((total, one) => total + of(one), 0);
  const unverified = sum((one) => one.unverified_frames_sent);
  const figures = [
    ["enrolled", agents.length], ["onlineCount", sum((one) => Number(one.online))],
    ["liveCount", sum((one) => Object.keys(one.streams).length)],
    ["heldBack", sum((one) => one.held_back)], ["unverified", unverified],
  ];
  element("figures").replaceChildren(...figures.map(([name, value]) => make("div", {},
    make("dt", { textContent: say(name) }),
    make("dd", { textContent: value, className: name === "unverified" && value > 0 ? "wrong" : "" }))));
  const items = agents.map(agentItem);
  element("agents").replaceChildren(...(items.length ? items : [make("li", { textContent: say("noAgents") })]));
}

function showThresholds() {
  if (element("thresholds").contains(document.activeElement)) return; // somebody types there
  element("classes").replaceChildren(...CLASSES.map((name) => {
    const rule = protection.classes?.[name] ?? {};
    const hide = make("input", { type: "checkbox", checked: rule.hide ?? true, data: { hide: name } });
    const thresh = make("input", {
      type: "number", min: 0, max: 1, step: 0.01, value: rule.thresh ?? "", placeholder: say("own"),
      ariaLabel: `${say("thresh")}: ${say(name)}`, data: { thresh: name },
    });
    hide.ariaLabel = `${say("hide")}: ${say(name)}`;
    return make("div", { className: "class" }, make("b", { textContent: say(name) }), make("label", {}, hide, say("hide")), thresh);
  }));
  element("save").disabled = !mayChange();
}

async function save(event) {
  event.preventDefault();
  const classes = Object.fromEntries(CLASSES.map((name) => {
    const typed = element("classes").querySelector(`[data-thresh="${name}"]`).value;
    const hide = element("classes").querySelector(`[data-hide="${name}"]`).checked;
    return [name, typed === "" ? { hide } : { hide, thresh: Number(typed) }];
  }));
  try {
    const { agents } = await asOperator("/v1/protection", { method: "PUT", body: { ...protection, classes } });
    write(element("saved"), say("told", { n: agents }));
  } catch (problem) {
    write(element("saved"), say("failedAsk", { why: problem.message }));
  }
}

function rolloutItem(one, fleetSize) {
  const head = make("div", { className: "row" },
    make("h3", { textContent: `${one.model.name} ${one.model.version}` }),
    make("span", { textContent: `${say(one.status)}${one.reason ? `: ${one.reason}` : ""}` }));
  const item = make("li", {}, head, wavesPicture(one, fleetSize), legend(one));
  if (!mayChange() || !["running", "paused"].includes(one.status)) return item;
  const ask = (what) => asOperator(`/v1/rollouts/${one.id}/${what}`, { method: "POST" }).then(load, () => load());
  const other = one.status === "running" ? "pause" : "resume";
  const change = make("button", { type: "button", textContent: say(other) });
  const abort = make("button", { type: "button", className: "danger", textContent: say("abort") });
  change.addEventListener("click", () => ask(other));
  abort.addEventListener("click", async () => { if (await sure(say("abortSure"), say("abort"))) ask("abort"); });
  item.append(make("div", { className: "row" }, change, abort));
  return item;
}

async function showRollouts(fleetSize) {
  const { rollouts } = await asOperator("/v1/rollouts");
  const newest = rollouts.slice(-5).reverse();
  const found = await Promise.all(newest.map((one) => asOperator(`/v1/rollouts/${one.id}`)));
  if (element("rollouts").contains(document.activeElement) && element("sure").open) return;
  const items = found.map((one) => rolloutItem(one, fleetSize));
  element("rollouts").replaceChildren(...(items.length ? items : [make("li", { textContent: say("noRollouts") })]));
}

async function showAudit() {
  let entries = [];
  try {
    let after = String(Date.now() - WEEK_MS).padStart(15, "0");
    for (let pages = 0; after && pages < 20; pages += 1) {
      const page = await asOperator(`/v1/audit?limit=500&after=${after}`);
      entries = [...entries, ...page.entries].slice(-SHOWN);
      after = page.next;
    }
  } catch (problem) {
    if (!(problem instanceof Refused) || problem.status !== 403) throw problem;
  }
  const rows = entries.reverse().map((one) => make("tr", {},
    ...[dateTime(one.at), one.who, one.action, one.subject].map((text) => make("td", { textContent: text }))));
  const words = say(mayChange() ? "noAudit" : "auditRole");
  element("audit").replaceChildren(...(rows.length ? rows : [make("tr", {}, make("td", { colSpan: 4, textContent: words }))]));
}

async function load() {
  document.title = `${say("fleet")} – Veilcast`;
  const agents = [];
  let after = "";
  do {
    const page = await asOperator(`/v1/agents?limit=500&after=${encodeURIComponent(after)}`);
    agents.push(...page.agents);
    after = page.next;
  } while (after);
  showAgents(agents);
  protection = await asOperator("/v1/protection");
  showThresholds();
  await showRollouts(agents.filter((one) => !one.revoked).length);
  await showAudit();
}

element("thresholds").addEventListener("submit", save);
operate(load);
