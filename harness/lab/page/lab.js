"use strict";
const $ = (id) => document.getElementById(id);
const priorities = ["", "urgent", "high", "normal", "low"];
const logLines = 1000;
let stream = null, timer = 0;

// el makes an element. Text is always text, never markup.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === "onclick") e.addEventListener("click", v); else if (v !== undefined) e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

async function ask(method, path) {
  const r = await fetch(path, {method, headers: {Accept: "application/json"}});
  const body = await r.json().catch(() => ({}));
  if (!r.ok) throw Object.assign(new Error(body.error || r.statusText), {status: r.status});
  return body;
}

async function act(question, method, path) {
  if (question && !confirm(question)) return;
  try {
    await ask(method, path);
    trouble("");
  } catch (e) {
    trouble(e.message);
  }
  refresh();
}

const clock = (t) => t ? new Date(t).toLocaleString([], {dateStyle: "short", timeStyle: "short"}) : "";

// What the lab shows: a run, a user's jobs, a board.
function card(b, lab) {
  const now = Date.parse(lab.time);
  const taken = lab.reservations.find((r) => r.board === b.name && Date.parse(r.from) <= now);
  let [state, word] = ["free", "free"];
  if (!b.controller) [state, word] = ["away", "no controller"];
  else if (b.drained) [state, word] = ["drained", b.doing ? "draining" : "drained"];
  else if (b.doing) [state, word] = ["works", "measuring"];
  else if (taken) [state, word] = ["reserved", "reserved"];
  return el("article", {class: "card " + state},
    el("h3", {}, b.name, el("span", {}, word)),
    b.doing ? el("p", {}, b.doing) : null,
    taken ? el("p", {}, `${taken.owner}'s until ${clock(taken.until)}`) : null,
    el("p", {}, `${b.waiting} waiting, ${b.today} today`),
    b.controller ? el("p", {}, `driven by ${b.controller}`) : null,
    lab.role === "admin" ? el("button", {onclick: () => act("", "POST", `/api/boards/${encodeURIComponent(b.name)}/${b.drained ? "resume" : "drain"}`)}, b.drained ? "Resume" : "Drain") : null);
}

function run(s) {
  return el("tr", {},
    el("td", {}, s.title || "untitled", el("small", {}, s.id)),
    el("td", {}, s.owner),
    el("td", {}, priorities[s.priority]),
    el("td", {}, el("progress", {max: s.total, value: s.counted}), el("span", {class: "count"}, `${s.counted} of ${s.total}`)),
    el("td", {class: s.state}, s.state),
    el("td", {}, clock(s.created)),
    el("td", {}, el("div", {class: "acts"},
      s.mine ? el("button", {onclick: () => follow(s)}, "Log") : null,
      s.mine && s.state === "active" ? el("button", {onclick: () => act(`Cancel "${s.title || s.id}"? What is measured stays.`, "POST", `/api/sweeps/${s.id}/cancel`)}, "Cancel") : null)));
}

function fill(id, rows, empty, columns) {
  const body = $(id).tBodies[0];
  body.replaceChildren(...rows);
  if (!rows.length) body.append(el("tr", {}, el("td", {colspan: columns, class: "quiet"}, empty)));
}

function queued(list) {
  const rows = new Map();
  for (const q of list) {
    const key = q.board + " " + q.owner;
    const row = rows.get(key) || {board: q.board, owner: q.owner, waiting: 0, taken: 0};
    if (q.state === "running") row.taken += q.jobs; else row.waiting += q.jobs;
    rows.set(key, row);
  }
  return [...rows.values()].map((r) => el("tr", {},
    el("td", {}, r.board), el("td", {}, r.owner), el("td", {class: "n"}, String(r.waiting)), el("td", {class: "n"}, String(r.taken))));
}

function show(lab) {
  $("login").hidden = true;
  $("lab").hidden = $("who").hidden = $("out").hidden = false;
  $("user").textContent = lab.user;
  $("role").textContent = lab.role === "admin" ? "admin" : "";
  $("boards").replaceChildren(...lab.boards.map((b) => card(b, lab)));
  if (!lab.boards.length) $("boards").append(el("p", {class: "quiet"}, "No boards yet: harness lab work brings them."));
  fill("sweeps", lab.sweeps.map(run), "Nothing was submitted yet.", 7);
  fill("queue", queued(lab.queue), "Nothing waits.", 4);
  fill("reservations", lab.reservations.map((r) => el("tr", {},
    el("td", {}, r.board), el("td", {}, r.owner), el("td", {}, clock(r.from)), el("td", {}, clock(r.until)),
    el("td", {}, el("div", {class: "acts"}, r.mine ? el("button", {onclick: () => act("", "DELETE", `/api/reservations/${r.id}`)}, "End") : null)))),
  "No board is reserved.", 5);
}

// follow shows a run's log as it grows.
function follow(s) {
  if (stream) stream.close();
  $("follow").hidden = false;
  $("following").textContent = s.title || s.id;
  const log = $("log");
  log.replaceChildren();
  stream = new EventSource(`/api/sweeps/${s.id}/log`);
  stream.onmessage = (e) => {
    const line = JSON.parse(e.data);
    const low = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.append(el("li", {class: line.level}, el("time", {}, new Date(line.at).toLocaleTimeString()), ` ${line.board}  ${line.text}`));
    while (log.childElementCount > logLines) log.firstElementChild.remove();
    if (low) log.scrollTop = log.scrollHeight;
  };
  stream.addEventListener("sweep", (e) => {
    if (JSON.parse(e.data).state !== "active") stream.close();
  });
  $("follow").scrollIntoView({block: "nearest"});
}

async function refresh() {
  clearTimeout(timer);
  try {
    show(await ask("GET", "/api/lab"));
    trouble("");
  } catch (e) {
    if (e.status === 401) {
      $("login").hidden = false;
      $("lab").hidden = $("who").hidden = true;
      return;
    }
    trouble("The lab does not answer: " + e.message);
  }
  timer = setTimeout(refresh, 3000);
}

$("refused").hidden = !new URLSearchParams(location.search).has("refused");
refresh();
