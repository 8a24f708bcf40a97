/* A picture of a rollout: a stair of waves, filled as their agents take the model. */
import { make, say } from "/web/site.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 120;
const FEET = 26;
const OUTCOMES = ["done", "pending", "failed"];

function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const outcomeOf = (agent) => (agent.outcome === "overdue" ? "pending" : agent.outcome);

export function count(rollout) {
  const found = { done: 0, pending: 0, failed: 0 };
  for (const agent of rollout.agents) found[outcomeOf(agent)] += 1;
  return found;
}

/* Each step is as high as the share of the fleet that has its turn by then. */
export function wavesPicture(rollout, fleetSize) {
  const { waves } = rollout.plan;
  const step = WIDTH / waves.length;
  const words = say("wavesPicture", { ...count(rollout), wave: rollout.wave + 1, waves: waves.length });
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + FEET}`, class: "waves", role: "img" },
    shape("title", {}, words));
  let before = 0;
  waves.forEach((wave, number) => {
    const told = rollout.agents.filter((agent) => agent.wave === number);
    const cumulative = wave.percent === null ? before + told.length : Math.ceil((fleetSize * wave.percent) / 100);
    const size = Math.max(cumulative - before, told.length, 1);
    const height = wave.percent === null ? HEIGHT * 0.3 : Math.max(HEIGHT * 0.15, (HEIGHT * wave.percent) / 100);
    const box = { x: number * step + 3, width: step - 6 };
    let foot = HEIGHT;
    for (const outcome of OUTCOMES) {
      const filled = (height * told.filter((agent) => outcomeOf(agent) === outcome).length) / size;
      foot -= filled;
      if (filled) picture.append(shape("rect", { ...box, y: foot, height: filled, class: outcome }));
    }
    const now = number === rollout.wave && rollout.status !== "finished" ? "plan now" : "plan";
    picture.append(shape("rect", { ...box, y: HEIGHT - height, height, rx: 4, class: now }));
    const labels = wave.labels ? Object.entries(wave.labels).map((pair) => pair.join("=")).join(" ") : `${wave.percent} %`;
    picture.append(shape("text", { x: number * step + 4, y: HEIGHT + 19 }, labels));
    before = Math.max(cumulative, before);
  });
  return picture;
}

export function legend(rollout) {
  const found = count(rollout);
  return make("ul", { className: "legend" },
    ...OUTCOMES.map((outcome) => make("li", { className: outcome }, `${say(outcome)} ${found[outcome]}`)));
}
