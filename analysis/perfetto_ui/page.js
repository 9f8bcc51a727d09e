"use strict";
// Two UIs on one page, controlled by the UI's own messages: a time range by postMessage, and its
// "timeline sync" by the broadcast channel on which its tabs find each other.
const CHANNEL = "dev.perfetto.TimelineSync#broadcastChannel";
const SETTLE_MS = 1500;
const ALIVE_MS = 20000;

const channel = new BroadcastChannel(CHANNEL);
const clients = new Set();
const frames = [];
let session = 0;
let view;

const byId = (id) => document.getElementById(id);

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function show(side) {
  const section = document.createElement("section");
  const caption = document.createElement("p");
  const link = element("a", "open in a separate tab");
  link.href = side.url;
  link.target = "_blank";
  const where = element("span", "");
  caption.append(element("b", side.label), element("span", `${side.name} · `), where, " · ", link);
  const frame = document.createElement("iframe");
  frame.title = `Perfetto UI: ${side.label}`;
  frame.src = side.url;
  section.append(caption, frame);
  document.querySelector("main").append(section);
  frames.push({ frame, side, where });
}

function mark(moment) {
  for (const button of byId("moments").children) {
    button.setAttribute("aria-pressed", String(button.dataset.moment === moment));
  }
  for (const { side, where } of frames) {
    where.textContent = side.moments[moment]?.label ?? "no such moment in this trace";
  }
}

function go(moment) {
  const together = byId("step").checked;
  stop();
  for (const { frame, side } of frames) {
    const span = side.moments[moment];
    if (span) {
      frame.contentWindow.postMessage({ perfetto: { timeStart: span.start_s, timeEnd: span.end_s, viewPercentage: 1 } }, location.origin);
    }
  }
  mark(moment);
  // The UI scrolls smoothly; the sync session takes what is shown at its start as the same moment.
  if (together) setTimeout(start, SETTLE_MS);
}

function start() {
  byId("step").checked = true;
  session = 1 + Math.floor(Math.random() * 1e6);
  channel.postMessage({
    perfettoSync: { cmd: "MSG_SESSION_START", sessionId: session, clients: [...clients] },
    clientId: 0,
  });
}

function stop() {
  if (session) {
    channel.postMessage({ perfettoSync: { cmd: "MSG_SESSION_STOP", sessionId: session }, clientId: 0 });
  }
  session = 0;
}

channel.onmessage = ({ data }) => {
  if (data?.perfettoSync?.cmd !== "MSG_ADVERTISE" || clients.has(data.clientId)) return;
  clients.add(data.clientId);
  if (clients.size === frames.length) {
    byId("state").textContent = "";
    if (frames.length > 1) setTimeout(start, SETTLE_MS);
  }
};

byId("beside").onchange = () => document.querySelector("main").classList.toggle("beside", byId("beside").checked);
byId("step").onchange = () => (byId("step").checked ? start() : stop());

fetch("/view.json")
  .then((answer) => answer.json())
  .then((content) => {
    view = content;
    document.title = view.title;
    byId("title").textContent = view.title;
    for (const [key, text] of Object.entries(view.moments)) {
      const button = element("button", text);
      button.type = "button";
      button.dataset.moment = key;
      button.onclick = () => go(key);
      byId("moments").append(button);
    }
    view.sides.forEach(show);
    if (view.sides.length < 2) byId("pair").remove();
    mark(view.moment);
  });

setInterval(() => fetch("/alive"), ALIVE_MS);
addEventListener("pagehide", () => fetch("/closed", { keepalive: true }));
