// Adds rows as errors happen, and buttons that copy. Without it the page is the same, to be loaded again.
'use strict';

(() => {
  const MOST_ROWS = 25;
  const ANNOUNCE_EVERY_MS = 3000;
  const HIGHLIGHT_MS = 4000;

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

  const follow = (address, after) => {
    const table = document.querySelector('table.errors');
    const [place, state, pause, announce] = ['live', 'live-state', 'pause', 'announce'].map(byId);
    let [paused, held, announced, leftOut] = [false, [], [], 0];

    const setState = (text, isLive) => {
      state.textContent = text;
      place.classList.toggle('is-live', isLive);
    };

    const show = (row) => {
      table.tHead.after(row);
      row.classList.add('new');
      setTimeout(() => row.classList.remove('new'), HIGHLIGHT_MS);
      byId('empty').hidden = true;
      const words = ['.statuses', '.code', '.route'].map((part) => row.querySelector(part).textContent.trim());
      announced.push(words.join(' '));
      while (table.tBodies.length > MOST_ROWS) {
        table.tBodies[table.tBodies.length - 1].remove();
      }
    };

    const stateOfPause = () => setState(`Paused, ${held.length} new`, false);

    setInterval(() => {
      if (announced.length === 1) {
        announce.textContent = `New error: ${announced[0]}`;
      } else if (announced.length > 1) {
        announce.textContent = `${announced.length + leftOut} new errors, the last one ${announced[announced.length - 1]}`;
      }
      [announced, leftOut] = [[], 0];
    }, ANNOUNCE_EVERY_MS);

    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Go on' : 'Pause';
      if (paused) {
        stateOfPause();
      } else {
        held.forEach(show);
        held = [];
        setState('Live', true);
      }
    });

    const url = new URL(address, location.href);
    url.searchParams.set('after', after);
    const events = new EventSource(url);
    events.addEventListener('open', () => { if (!paused) setState('Live', true); });
    events.addEventListener('error', () => {
      setState(events.readyState === EventSource.CLOSED ? 'Not live: load the page again' : 'Connecting again', false);
    });
    events.addEventListener('left-out', (event) => { leftOut += Number(event.data); });
    events.addEventListener('row', (event) => {
      const template = document.createElement('template');
      template.innerHTML = `<table>${event.data}</table>`;
      const row = template.content.querySelector('tbody');
      if (paused) {
        held = [...held, row].slice(-MOST_ROWS);
        stateOfPause();
      } else {
        show(row);
      }
    });
    setState('Connecting', false);
    place.hidden = false;
  };

  addCopyButtons(document);
  const { live, after } = document.body.dataset;
  if (live) follow(live, after);
})();
