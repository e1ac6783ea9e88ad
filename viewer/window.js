// What only the browser can do for the blotter. It tells viewer/window.py the width of the page
// and the keys that people press, through a text field that nobody sees. It keeps the row with the
// cursor in sight and, where people ask for it, rings and counts new critical events in the title.
// Streamlit runs this file whenever it draws the blotter anew; only the first time counts.
window.sentinelWindow ??= (() => {
  const KEYS = ["j", "k", "x", "a", "z", "s", "Enter", "?"];
  const LOOK = 700; // milliseconds between two questions for news
  // After it was drawn, the viewer is left alone for so many times as long as that took: it is
  // never busy with news for more than half of the time. For so many milliseconds at most.
  const SHARE = 1, LONGEST = 10_000;
  const KEPT = 40; // pressed keys that the page may not have answered yet
  const ATTEMPTS = 5; // at one second each
  const STEP = 20; // pixels: a scrollbar that comes and goes is no other width
  const ROW = 28, HEADER = 36, BAR = 60; // pixels: a table's row, its head, the page's own bar
  const FIELD = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
  const OPEN = "[role=dialog], [role=menu], [role=listbox], [data-testid=stPopoverBody]";
  const LINK = "[data-testid=stTopNavLink], [data-testid=stSidebarNavLink], [data-testid=stPageLink-NavLink]";
  const PRESSED_BY_ENTER = "a, button, summary, label, [role]:not([role=grid], [role=main])";
  const pressed = [];
  const told = { sent: 0, width: 0, keys: [] };
  const known = { width: null, heard: 0 }; // what Python answered to
  const drawn = { news: null, asks: null, draws: null };
  let asking = false, drawnFor = null; // the last word for which it was drawn
  let pressedAt = null, wait = 0; // when it was asked to be drawn, and until when it is left alone
  let leaving = false; // for another page
  let opened = 0; // the number of the last key that opened an event
  let cursor = null, newest = null, looked = null, counted = 0, sound = null;

  const field = () => document.querySelector(".st-key-window input");

  function tell() {
    const input = field();
    if (!input || leaving) return;
    told.sent += 1;
    // As if somebody had typed it: a value that is only assigned goes unnoticed by the page.
    const assign = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
    assign.call(input, JSON.stringify(told));
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const enter = { key: "Enter", code: "Enter", keyCode: 13, which: 13, bubbles: true };
    setTimeout(() => input.dispatchEvent(new KeyboardEvent("keydown", enter)));
  }

  function measure() {
    const place = field()?.closest(".stMainBlockContainer");
    if (!place) return told.width;
    const style = getComputedStyle(place);
    const inside = place.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return Math.floor(inside / STEP) * STEP || told.width;
  }

  // The page may not listen yet when it is drawn for the first time, or be about to be drawn anew.
  let attempts = 0;
  function sayAgain() {
    const width = measure();
    if (width !== told.width) [told.width, attempts] = [width, 0];
    const answered = known.width === width && (pressed.at(-1)?.[0] ?? 0) <= known.heard;
    if (answered) attempts = 0;
    else if (attempts++ < ATTEMPTS) tell();
  }

  function meant(event) {
    if (!KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return false;
    const at = event.composedPath()[0];
    if (!field() || at === field() || at.closest?.(FIELD)) return false;
    if ([...document.querySelectorAll(OPEN)].some((e) => e.checkVisibility())) return false;
    return event.key !== "Enter" || (cursor !== null && !at.closest?.(PRESSED_BY_ENTER));
  }

  function press(event) {
    if (!meant(event)) return;
    event.preventDefault();
    event.stopPropagation();
    // Times, so that a key is never answered twice however often the field is sent.
    pressed.push([Math.max(Date.now(), (pressed.at(-1)?.[0] ?? 0) + 1), event.key]);
    told.keys = pressed.slice(-KEPT);
    attempts = 0;
    tell();
  }

  function keepInSight(row) {
    const rows = document.querySelector("[data-testid=stDataFrame] .dvn-scroller");
    if (!rows) return;
    const top = row * ROW, seen = rows.clientHeight - HEADER;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top + ROW > rows.scrollTop + seen) rows.scrollTop = top + ROW - seen;
    const at = rows.getBoundingClientRect().top + HEADER + top - rows.scrollTop;
    if (at < BAR || at + ROW > window.innerHeight) rows.scrollIntoView({ block: "nearest" });
  }

  // Has the blotter drawn if there is anything that is not on it.
  async function ask() {
    if (asking || leaving || !drawn.news || !field() || performance.now() < wait) return;
    if (document.hidden && newest === null) return; // nobody sees it, and it neither rings nor counts
    asking = true;
    try {
      const answer = await fetch(drawn.asks, { cache: "no-store" });
      const word = answer.ok ? await answer.text() : drawn.news;
      if (word !== drawn.news && word !== drawnFor && !leaving) {
        drawnFor = word;
        pressedAt = performance.now();
        document.querySelector(drawn.draws)?.click();
      }
    } catch {
      // the viewer is away, and Streamlit says so
    }
    asking = false;
  }

  function ring() {
    sound ??= new AudioContext(); // silent until people have clicked or typed on the page once
    [0, 0.18].forEach((wait, n) => {
      const tone = sound.createOscillator(), loudness = sound.createGain();
      const at = sound.currentTime + wait;
      tone.frequency.value = n ? 660 : 880;
      loudness.gain.setValueAtTime(0.2, at);
      loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
      tone.connect(loudness).connect(sound.destination);
      tone.start(at);
      tone.stop(at + 0.17);
    });
  }

  function name(count = counted) {
    counted = count;
    const plain = document.title.replace(/^\(\d+\+?\) /, "");
    const title = count ? `(${count > 99 ? "99+" : count}) ${plain}` : plain;
    if (title !== document.title) document.title = title;
  }

  function look() {
    if (document.hidden || !document.hasFocus()) return;
    looked = newest;
    name(0);
  }

  // `critical`: the ids of the newest critical events, the newest first; null: nobody asked.
  function alertTo({ critical, title, ring: aloud }) {
    if (!critical) {
      newest = looked = null;
      return name(0);
    }
    const first = critical[0] ?? 0;
    if (newest === null) newest = looked = first; // what was there before is not new
    else if (first > newest) {
      newest = first;
      if (aloud) ring();
    }
    look();
    name(title ? critical.filter((id) => id > looked).length : 0);
  }

  // Streamlit shows an empty page if the blotter asks for anything while the next page is drawn:
  // it takes the answer for one of another page, and removes what it has drawn. Its own links stop
  // the blotter's timers; what is told from here stops too.
  function leave(event) {
    if (event.target.closest?.(LINK)) leaving = true;
  }

  // The link may be drawn a moment after it is asked for.
  function follow(tries = 100) {
    const link = document.querySelector(".st-key-open-event a");
    if (link) link.click();
    else if (tries && field()) setTimeout(follow, 20, tries - 1);
  }

  document.addEventListener("click", leave, true);
  document.addEventListener("keydown", press, true);
  window.addEventListener("focus", look);
  // Streamlit names the page again whenever it draws all of it.
  new MutationObserver(() => name()).observe(document.querySelector("title"), { childList: true });
  document.addEventListener("visibilitychange", look);
  setInterval(sayAgain, 1000);
  setInterval(ask, LOOK);

  return {
    arrived() {
      leaving = false;
    },
    // `open`: the number of the key that asked for the event that the link leads to; 0: none did.
    // `news`: the word for what is drawn; null: nobody wants more. `asks`: where to ask for it.
    now({ row, width, heard, open, news, asks, draws, ...alerts }) {
      Object.assign(drawn, { news, asks, draws });
      if (pressedAt !== null) {
        const took = performance.now() - pressedAt;
        wait = performance.now() + Math.min(SHARE * took, LONGEST);
        pressedAt = null;
      }
      if (open > opened) {
        opened = open;
        follow();
      }
      Object.assign(known, { width, heard });
      if (row !== null && row !== cursor) keepInSight(row);
      cursor = row;
      alertTo(alerts);
    },
  };
})();
window.sentinelWindow.arrived();
