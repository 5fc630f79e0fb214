// Adds rows as errors happen, and buttons that copy. Without it the page is the same, to be loaded again.
'use strict';

(() => {
  const MOST_ROWS = 15;
  const ANNOUNCE_EVERY_MS = 3000;
  const HIGHLIGHT_MS = 4000;
  const REFRESH_MS = 1000;
  const IDLE_MS = 15000;

  const byId = (id) => document.getElementById(id);

  const addCopyButtons = (root) => {
    for (const block of root.querySelectorAll('pre.copy')) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Copy';
      button.addEventListener('click', async () => {
        try {
          await navigator.clipboard.writeText(block.textContent);
          button.textContent = 'Copied';
        } catch {
          getSelection().selectAllChildren(block);
          button.textContent = 'Selected: copy it by hand';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 2000);
      });
      const place = document.createElement('div');
      place.className = 'copyable';
      block.replaceWith(place);
      place.append(block, button);
    }
  };

  // Figures, charts and rows come from one page, so that they are of one moment.
  const PARTS = ['source', 'thrown', 'now', 'time'];

  const follow = (address, after) => {
    const table = document.querySelector('table.errors');
    const [place, state, pause, announce] = ['live', 'live-state', 'pause', 'announce'].map(byId);
    let [paused, waiting, isFetching, lastFetch, leftOut, announced] = [false, 0, false, 0, 0, []];

    const setState = (text, isLive) => {
      state.textContent = text;
      place.classList.toggle('is-live', isLive);
    };

    // A row that a reader has open stays where it is.
    const isHeld = () => paused || table.querySelector('details[open]') !== null;
    const showWaiting = () => setState(`${paused ? 'Paused' : 'Held while a row is open'}, ${waiting} new`, false);

    const show = (row) => {
      row.classList.add('new');
      setTimeout(() => row.classList.remove('new'), HIGHLIGHT_MS);
      byId('empty').hidden = true;
      const words = ['.statuses', '.code', '.route'].map((part) => row.querySelector(part).textContent.trim());
      announced.push(words.join(' '));
    };

    const addRows = (rows) => {
      const newest = Number(table.tBodies[0]?.dataset.number ?? 0);
      const added = rows.filter((row) => Number(row.dataset.number) > newest);
      table.tHead.after(...added);
      added.forEach(show);
      while (table.tBodies.length > MOST_ROWS) {
        table.tBodies[table.tBodies.length - 1].remove();
      }
      // A body may have come after its row.
      for (const row of rows.slice(added.length)) {
        const shown = table.querySelector(`tbody[data-number="${row.dataset.number}"]`);
        if (shown && shown.innerHTML !== row.innerHTML) shown.innerHTML = row.innerHTML;
      }
    };

    const refresh = async () => {
      if (isFetching || isHeld()) return;
      [isFetching, lastFetch] = [true, Date.now()];
      try {
        const response = await fetch(location.href, { cache: 'no-store' });
        const page = new DOMParser().parseFromString(await response.text(), 'text/html');
        const rows = page.querySelector('table.errors');
        if (!response.ok || !rows || isHeld()) return;
        PARTS.forEach((id) => byId(id).replaceWith(page.getElementById(id)));
        addRows([...rows.tBodies]);
        waiting = 0;
        setState('Live', true);
      } catch {
        setState('Reconnecting', false);
      } finally {
        isFetching = false;
      }
    };

    setInterval(() => {
      if (isHeld() && waiting > 0) showWaiting();
      const age = Date.now() - lastFetch;
      if ((waiting > 0 && age >= REFRESH_MS) || (age >= IDLE_MS && !document.hidden)) refresh();
    }, 250);

    setInterval(() => {
      if (announced.length === 1) {
        announce.textContent = `New error: ${announced[0]}`;
      } else if (announced.length > 1) {
        announce.textContent = `${announced.length + leftOut} new errors, the last one ${announced[0]}`;
      }
      [announced, leftOut] = [[], 0];
    }, ANNOUNCE_EVERY_MS);

    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Resume' : 'Pause';
      if (paused) {
        showWaiting();
      } else {
        setState('Live', true);
        refresh();
      }
    });

    const url = new URL(address, location.href);
    url.searchParams.set('after', after);
    const events = new EventSource(url);
    events.addEventListener('open', () => { if (!isHeld()) setState('Live', true); });
    events.addEventListener('error', () => {
      setState(events.readyState === EventSource.CLOSED ? 'Not live: reload the page' : 'Reconnecting', false);
    });
    events.addEventListener('left-out', (event) => { leftOut += Number(event.data); });
    events.addEventListener('row', () => { waiting += 1; });
    setState('Connecting', false);
    place.hidden = false;
    lastFetch = Date.now() - REFRESH_MS;
  };

  addCopyButtons(document);
  const { live, after } = document.body.dataset;
  if (live) follow(live, after);
})();
