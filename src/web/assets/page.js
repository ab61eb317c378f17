// The page's own script: the slider, what comes live, panels that cost more than
// the rest, buttons that copy commands, and a key for the search. Without it all
// of them are forms, links and text. It puts only elements into the page that the
// server made, which escapes every value, and texts of its own.
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

  function make(name, text, more = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    return Object.assign(made, more);
  }

  // Says what failed, in place of what would have been there, with a way to try
  // again.
  function failed(place, what, error, again) {
    const busy = error.message === "503";
    const why = busy ? "the server is busy" : "the server does not answer as it should";
    const wrong = make("p", `${what} could not be loaded: ${why}. `, { className: "error" });
    wrong.setAttribute("role", "alert");
    const button = make("button", "Try again", { type: "button", className: "quiet" });
    button.addEventListener("click", again);
    wrong.append(button);
    place.replaceChildren(wrong);
  }

  // A button on each command that copies it.
  function copying(root) {
    for (const code of root.querySelectorAll("pre.command > code")) {
      const button = make("button", "Copy", { type: "button", className: "quiet copy" });
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = "Copied";
        } catch {
          // Without the right to copy, it is selected for the reader's own keys.
          getSelection().selectAllChildren(code);
          button.textContent = "Selected";
        }
        setTimeout(() => (button.textContent = "Copy"), 2000);
      });
      code.parentElement.append(button);
    }
  }

  // The key / leads to the search, wherever nothing is being typed.
  function keys() {
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const search = document.getElementById("q");
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
    });
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
    const from = Number(range.min);
    const to = Number(range.max);
    const moment = () => Math.round(Number(range.value));
    let waiting = 0;
    let asked = null;

    async function show() {
      asked?.abort();
      const mine = (asked = new AbortController());
      state.setAttribute("aria-busy", "true");
      try {
        const address = range.dataset.fragment + (range.dataset.fragment.includes("?") ? "&" : "?");
        const page = await fragment(address + "at=%40" + moment(), { signal: mine.signal });
        const fresh = page?.querySelector(".state");
        if (fresh) {
          const open = state.querySelector("details")?.open ?? false;
          state.replaceChildren(document.importNode(fresh, true));
          const unchanged = state.querySelector("details");
          if (unchanged) unchanged.open = open;
          if (status) status.textContent = fresh.querySelector(".summary")?.textContent ?? "";
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        failed(state, "The state at that moment", error, show);
      }
      if (mine === asked) state.removeAttribute("aria-busy");
    }

    range.addEventListener("input", () => {
      const text = form.format(new Date(moment() * 1000));
      range.setAttribute("aria-valuetext", text);
      if (field.type === "datetime-local") field.value = text.replace(" ", "T");
      const place = ((Number(range.value) - from) / (to - from)) * 100 + "%";
      for (const line of document.querySelectorAll(".lane line.at")) {
        line.setAttribute("x1", place);
        line.setAttribute("x2", place);
      }
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        const here = new URL(location.href);
        here.searchParams.set("at", "@" + moment());
        history.replaceState(null, "", here);
        show();
      }, 120);
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

  // One after the other, since each may be much work. One that cannot be had now
  // is tried again after the others, and says so meanwhile.
  async function panels(places) {
    const pause = (time) => new Promise((done) => setTimeout(done, time));
    // What a reader tries again is left to that attempt.
    const attempt = {};
    for (const place of places) place.attempt = attempt;
    const isOurs = (place) => place.attempt === attempt;
    for (let round = 0; places.length > 0 && round < 6; round++) {
      if (round > 0) await pause(500 * 2 ** round);
      const again = [];
      for (const place of places.filter(isOurs)) {
        place.setAttribute("aria-busy", "true");
        try {
          const page = await fragment(place.dataset.panel);
          if (!isOurs(place)) continue;
          if (page) place.replaceChildren(...[...page.body.childNodes].map((node) => document.importNode(node, true)));
          copying(place);
        } catch (error) {
          if (!isOurs(place)) continue;
          again.push(place);
          failed(place, "This", error, () => panels([place]));
        }
        place.setAttribute("aria-busy", "false");
      }
      places = again;
    }
  }

  copying(document);
  keys();
  slider();
  live();
  panels([...document.querySelectorAll("[data-panel]")]);
})();
