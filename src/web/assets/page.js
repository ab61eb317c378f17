// The page's own script: the slider, what comes live, and panels that cost more
// than the rest. Without it all of them are forms and links. It puts only
// elements into the page that the server made, which escapes every value.
"use strict";
(() => {
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  // A token may stand behind the address, where no server and no log sees it. It
  // is put into the form, never sent unasked, and not left in the address.
  const given = location.hash.slice(1);
  if (given.startsWith("ptr_")) {
    const token = document.getElementById("token");
    if (token) token.value = given;
    history.replaceState(null, "", location.pathname + location.search);
  }

  // A fragment of this server; null where nothing is new. A session that is
  // over leads to the login form.
  async function fragment(address, options = {}) {
    const answer = await fetch(address, { credentials: "same-origin", ...options });
    if (answer.status === 401) {
      location.reload();
      return null;
    }
    if (answer.status === 304) return null;
    if (!answer.ok) throw new Error(String(answer.status));
    return parse(await answer.text());
  }

  function slider() {
    const range = document.getElementById("slider");
    const state = document.getElementById("state");
    const field = document.getElementById("at");
    const status = document.getElementById("state-status");
    if (!range || !state || !field) return;
    range.hidden = false;
    const zone = { timeZone: range.dataset.zone, dateStyle: "short", timeStyle: "medium" };
    const form = new Intl.DateTimeFormat("sv-SE", zone);
    const from = Number(range.dataset.from);
    const to = Number(range.dataset.to);
    let waiting = 0;
    let asked = null;

    async function show() {
      asked?.abort();
      const mine = (asked = new AbortController());
      state.setAttribute("aria-busy", "true");
      try {
        const address = range.dataset.fragment + (range.dataset.fragment.includes("?") ? "&" : "?");
        const page = await fragment(address + "at=%40" + range.value, { signal: mine.signal });
        const fresh = page?.querySelector(".state");
        if (fresh) {
          state.replaceChildren(document.importNode(fresh, true));
          if (status) status.textContent = fresh.querySelector(".summary")?.textContent ?? "";
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        const wrong = document.createElement("p");
        wrong.className = "error";
        wrong.setAttribute("role", "alert");
        wrong.textContent = "The state at that moment could not be loaded; try again.";
        state.replaceChildren(wrong);
      }
      if (mine === asked) state.removeAttribute("aria-busy");
    }

    range.addEventListener("input", () => {
      const moment = Number(range.value);
      const text = form.format(new Date(moment * 1000));
      range.setAttribute("aria-valuetext", text);
      if (field.type === "datetime-local") field.value = text.replace(" ", "T");
      const place = Math.min(Math.max((moment - from) / (to - from), 0), 1) * 100 + "%";
      for (const line of document.querySelectorAll("line.at")) {
        line.setAttribute("x1", place);
        line.setAttribute("x2", place);
      }
      clearTimeout(waiting);
      waiting = setTimeout(show, 120);
    });
  }

  function live() {
    const place = document.getElementById("live");
    const list = document.getElementById("live-rows");
    const status = document.getElementById("live-status");
    const pause = document.getElementById("live-pause");
    if (!place || !list || !status || !pause) return;
    const most = 50;
    let cursor = place.dataset.cursor;
    let paused = false;
    let wait = 3000;
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Resume" : "Pause";
    });

    async function look() {
      if (!paused && !document.hidden) {
        try {
          const headers = { "If-None-Match": `"${cursor}"` };
          const page = await fragment("/live?after=" + cursor, { headers });
          const fresh = page?.querySelector("tbody");
          if (fresh) {
            cursor = fresh.dataset.cursor;
            const rows = [...fresh.children].map((row) => document.importNode(row, true));
            for (const row of rows) row.classList.add("fresh");
            list.prepend(...rows);
            while (list.children.length > most) list.lastElementChild.remove();
            document.getElementById("live-none")?.remove();
            status.textContent = page.getElementById("live-summary")?.textContent ?? "";
          }
          wait = 3000;
        } catch {
          status.textContent = "The server does not answer. Retrying.";
          wait = Math.min(wait * 2, 30000);
        }
      }
      setTimeout(look, wait);
    }
    setTimeout(look, wait);
  }

  // One after the other, since each may be much work. One that cannot be had
  // now is tried again after the others; at last the link to it stays.
  async function panels() {
    const pause = (time) => new Promise((done) => setTimeout(done, time));
    let places = [...document.querySelectorAll("[data-panel]")];
    for (let round = 0; places.length > 0 && round < 7; round++) {
      if (round > 0) await pause(500 * 2 ** round);
      const failed = [];
      for (const place of places) {
        place.setAttribute("aria-busy", "true");
        try {
          const page = await fragment(place.dataset.panel);
          if (page) place.replaceChildren(...[...page.body.childNodes].map((node) => document.importNode(node, true)));
        } catch {
          failed.push(place);
        }
        place.setAttribute("aria-busy", "false");
      }
      places = failed;
    }
  }

  slider();
  live();
  panels();
})();
