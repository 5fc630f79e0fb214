// Reads the JSON of this address, and shows it. Each foreign text is set as text, never as HTML.
'use strict';

(() => {
  const REFRESH_MS = 5000;
  const FEW_ERRORS = 15;
  const WORST = 8;
  // The worst is last.
  const OUTCOMES = { ok: 'OK', client_left: 'client left', client_error: 'client errors', server_error: 'server errors', broken: 'broken', unknown: 'unknown' };
  const SVG = 'http://www.w3.org/2000/svg';
  const NOT_STORED = {
    waiting: 'The body is being read.',
    too_many_at_once: 'Not stored: too many errors came at once.',
  };
  const whyNotStored = (bodies) => NOT_STORED[bodies] ?? 'The body was not stored.';
  const NO_SERVICE = {
    guard: 'A guard refused the request.',
    fault: 'This process returned the error.',
    error: 'No usable response arrived.',
    panic: 'This process panicked. The log has the text of the panic.',
    proxy: 'Envoy itself sent the error, or a gateway handed it over to error-backend. What the service sent is not known.',
    abandoned: 'The client left.',
  };
  const VERDICTS = { ready: 'ready', not_ready: 'not ready', unseen: 'not seen yet', unknown: 'not counted', done: 'done' };

  const byId = (id) => document.getElementById(id);
  const number = (count) => count.toLocaleString('en');
  // The date is left out of a time of today (UTC).
  const time = (at) => (at.slice(0, 10) === new Date().toISOString().slice(0, 10) ? '' : `${at.slice(0, 10)} `) + at.slice(11, 19);

  // Characters that are invisible, or that turn the direction of writing, become their numbers. A body keeps its lines.
  const visible = (text, keepsLines = false) =>
    text.replace(/\r\n/g, keepsLines ? '\n' : '\r\n').replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu, (letter) =>
      keepsLines && (letter === '\n' || letter === '\t')
        ? letter
        : `⟨U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);

  // An element with its class; its children are elements, or texts that become text nodes.
  const make = (name, className = '', ...children) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
    return element;
  };
  const foreign = (text) => make('bdi', '', visible(text));
  const code = (text) => make('code', '', foreign(text));
  const none = (text) => make('span', 'none', text);
  const routeName = (route) => (route === null ? none('no route') : code(route));
  // It may scroll, by keyboard, too.
  const pre = (text) => {
    const it = make('pre', '', text);
    it.tabIndex = 0;
    return it;
  };
  const fact = (name, value) => make('div', '', make('dt', '', name), make('dd', '', value));
  const show = (element, isShown) => { element.hidden = !isShown; };

  const head = (...columns) =>
    make('thead', '', make('tr', '', ...columns.map((name) => {
      const cell = make('th', '', name);
      cell.scope = 'col';
      return cell;
    })));
  // A cell that shows its column's name where the page is narrow.
  const cell = (name, ...children) => {
    const it = make('td', '', ...children);
    it.dataset.name = name;
    return it;
  };

  const TOKEN = 'admin-token';
  const credentials = () => {
    const token = sessionStorage.getItem(TOKEN);
    return token === null ? {} : { authorization: `Bearer ${token}` };
  };
  const read = async (path) => {
    const response = await fetch(path, { cache: 'no-store', headers: credentials() });
    if (response.status === 401 && !byId('unlock').open) {
      show(byId('wrong'), sessionStorage.getItem(TOKEN) !== null);
      byId('unlock').showModal();
    }
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
  };

  /* What is wrong now. */

  const listed = (codes) => codes.flatMap(({ code: name, count, outcome }, at) => [at ? ', ' : '', name ? code(name) : none('no code'), ` ${outcome === 'broken' ? 'broken ' : ''}${number(count)}`]);

  const table = (kind, what, places, minutes) => {
    if (!places.length) return null;
    const rows = places.slice(0, WORST).map(({ route, scope, service, count, requests, codes }) => make('tr', '',
      cell('Route', routeName(route), scope ? ' in ' : '', scope ? foreign(scope) : ''),
      cell(what, make('b', '', number(count)), requests ? ` of ${number(requests)} (${Math.round((100 * count) / requests) || 'under 1'} %)` : ''),
      cell('Codes', ...listed(codes)),
      service ? cell('Service', foreign(service)) : make('td', 'unknown', '–')));
    const more = places.length - WORST;
    return make('div', `affected ${kind}`,
      make('table', '', make('caption', '', `${what} by route and service in this minute and the ${minutes - 1} before`), head('Route', what, 'Codes', 'Service'), make('tbody', '', ...rows)),
      more > 0 ? make('p', 'quiet', `And ${number(more)} more.`) : null);
  };

  const showNow = (now) => {
    const problems = now.problems.map(({ level, what, text }) => {
      const [first, ...rest] = visible(text, true).split('\n');
      const more = rest.length ? make('details', '', make('summary', '', 'Details'), pre(rest.join('\n'))) : null;
      return make('div', `problem ${level}`, make('strong', '', `${level === 'danger' ? '✕ Danger: ' : '! Warning: '}${visible(what)}. `), make('bdi', '', first), more);
    });
    const tables = [table('danger', 'Failed', now.failing, now.minutes), table('warning', 'Refused', now.refusing, now.minutes)].filter(Boolean);
    const isWell = !problems.length && !tables.length;
    const observed = table('observed', 'Would be refused', now.would_refuse, now.minutes);
    byId('observed').replaceChildren(...(observed ? [observed] : []));
    byId('now').replaceChildren(...problems, ...tables,
      ...(isWell ? [make('p', 'well', `✓ No problems: no server error, no broken response and no refused request in this minute and the ${now.minutes - 1} before.`)] : []));

    const name = now.process ?? location.host;
    document.title = `${isWell && !now.kill_switch.kill_switch ? '' : '✕ '}Errors · ${visible(name)}`;
    byId('process').replaceChildren(foreign(name));
    byId('policy').replaceChildren(now.policy === null ? 'no policy' : foreign(now.policy), ` · version ${now.version}`);
    byId('as-of').textContent = `· as of ${time(now.at)}`;
    byId('since').textContent = time(now.since);
    show(byId('no-bodies'), now.shows_bodies === false);
  };

  /* The last hour. */

  const showHour = ({ begin, outcomes }) => {
    const names = Object.keys(OUTCOMES);
    const minutes = outcomes.ok.length;
    const shown = names.filter((name) => outcomes[name].some((count) => count > 0));
    const sums = Array.from({ length: minutes }, (_, at) => names.reduce((sum, name) => sum + outcomes[name][at], 0));
    const most = Math.max(...sums);
    const total = (name) => outcomes[name].reduce((sum, count) => sum + count, 0);
    const words = shown.length ? shown.map((name) => `${number(total(name))} ${OUTCOMES[name]}`).join(', ') : 'none';
    const at = (minute) => new Date(Date.parse(begin) + minute * 60000).toISOString().slice(11, 16);

    const svg = document.createElementNS(SVG, 'svg');
    const label = `Requests per minute in the last hour: ${words}. Peak ${number(most)} per minute.`;
    Object.entries({ viewBox: `0 0 ${minutes} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }).forEach((it) => svg.setAttribute(...it));
    const bottoms = new Array(minutes).fill(100);
    // The worst outcome is at the bottom, where its height can be compared.
    for (const name of [...names].reverse()) {
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('class', `of-${name}`);
      path.setAttribute('d', outcomes[name].map((count, minute) => {
        if (!count) return '';
        const height = Math.max((100 * count) / most, 1.5);
        bottoms[minute] -= height;
        return `M${minute} ${bottoms[minute].toFixed(2)}h.85v${height.toFixed(2)}h-.85z`;
      }).join(''));
      svg.append(path);
    }
    const legend = make('ul', 'legend', ...shown.map((name) => make('li', '', make('span', `swatch of-${name}`), ` ${OUTCOMES[name]} `, make('b', '', number(total(name))))));
    const rows = sums.map((sum, minute) => sum && make('tr', '', make('td', '', at(minute)), ...names.map((name) => cell(OUTCOMES[name], number(outcomes[name][minute]))))).filter(Boolean);
    const numbers = make('details', '', make('summary', '', 'The numbers as a table'),
      make('table', 'numbers', make('caption', '', 'Requests per minute, without minutes that had none'), head('Minute', ...Object.values(OUTCOMES)), make('tbody', '', ...rows.reverse())));
    numbers.open = byId('hour').querySelector('details')?.open ?? false;
    byId('hour').replaceChildren(
      make('figcaption', '', `Requests per minute by outcome, peak ${number(most)}/min`, shown.length ? legend : ': none'),
      svg,
      make('p', 'axis', make('span', '', at(0)), make('span', '', at(minutes / 2)), make('span', '', at(minutes - 1))),
      numbers);
  };

  /* The last errors. */

  const side = (name, it, why) => make('div', 'side', make('h3', '', name),
    it === null
      ? make('p', 'none', why)
      : make('p', 'quiet', make('b', '', String(it.status)), ' ', it.content_type === null ? none('without a content type') : foreign(it.content_type)),
    it === null || it.text === '' ? null : it.text === null ? make('p', 'none', `${number(it.length)} bytes that are not text`) : pre(visible(it.text, true)),
    it === null || it.whole ? null : make('p', 'none', 'The rest was not stored.'));

  const CUT = { broken: ', broken', client_left: ', client left' };
  const answer = (status, grpc) => (status === null ? null : `${status}${grpc === null ? '' : ` gRPC ${grpc}`}`);
  const statusOf = (error) => {
    const parts = [answer(error.inner_status, error.inner_grpc_status), answer(error.status, error.grpc_status)].filter((it, at, all) => it !== null && all.indexOf(it) === at);
    const text = (parts.join(' → ') || 'none') + (CUT[error.outcome] ?? '');
    const wouldBe = answer(error.would_be_status, error.would_be_grpc_status);
    return wouldBe === null ? text : `${text} (would be ${wouldBe} ${visible(error.would_be_code)})`;
  };
  const isFault = ({ outcome }) => ['server_error', 'broken'].includes(outcome);

  const whyNoBefore = ({ origin, would_be_status: wouldBe, inner_status: inner, end, bodies }) => {
    if (end === 'service_broke_off') return 'The service’s response broke off. Its body was not stored.';
    if (inner !== null && origin !== 'inner') return 'The service answered. Its body was not stored.';
    return origin === 'guard' && wouldBe !== null ? 'The request passed a guard that only observes.' : NO_SERVICE[origin] ?? whyNotStored(bodies);
  };
  const whyNoAfter = ({ would_be_status: wouldBe, would_refuse: refusals, mode, status, bodies }) => {
    if (status === null) return 'No response was sent.';
    // In the other modes, the body of an error that passes is not read.
    if (wouldBe === null || (mode === 'observe' && refusals.length === 0)) return whyNotStored(bodies);
    return refusals.length > 0 ? 'No response was made, because the guard only observes.' : 'No response was made, because the service’s body was not read.';
  };
  const afterTitle = ({ would_be_status: wouldBe, would_refuse: refusals, after, end }) => {
    if (wouldBe === null) return end === 'complete' ? 'After: the client got' : 'After: the response, of which the client may lack a part';
    return refusals.length === 0 ? 'After, in enforce' : after === null ? 'After, if the guard refused' : 'After, if no guard refused';
  };

  const detailsOf = (error) => {
    const facts = [
      ['Outcome', error.outcome], ['End', error.end], ['Origin', error.origin], ['Mode', error.kill_switch ? `off by the kill switch (policy: ${error.mode})` : error.mode], ['Scope', error.scope], ['Method', error.method], ['Path', error.path], ['Client', error.client], ['Caller', error.caller], ['Dialect', error.dialect],
      ['Code decided by', error.decided_by], ['Unknown code', error.unknown_code],
      ['Fields dropped', error.dropped_fields], ['Would be refused', error.would_refuse.join(', ') || null], ['Trace id', error.trace_id], ['Cause', error.cause],
    ].filter(([, value]) => value !== null).map(([name, value]) => fact(name, foreign(String(value))));
    const here = make('a', '', 'Open this error');
    here.href = `/?search=${error.id}`;
    return [
      make('div', 'sides',
        side('Before: the service sent', error.before, whyNoBefore(error)),
        side(afterTitle(error), error.after, whyNoAfter(error))),
      make('dl', 'facts', ...facts),
      error.origin === 'inner' && error.inner_status >= 500 ? make('p', '', 'The cause is in the service’s log, with ', make('code', '', `x-request-id ${error.id}`), '.') : null,
      make('p', 'quiet', here, error.path === null ? ', with path and client' : '')];
  };

  const errorRow = (error, isOpen) => {
    const summary = make('summary', '',
      make('span', 'status', `${isFault(error) ? '✕ ' : ''}${statusOf(error)}`), ' ',
      error.code ? code(error.code) : none('no code'), ' ',
      make('span', 'route', routeName(error.route)), ' ',
      make('span', 'quiet', time(error.at), error.service === null ? '' : ' → ', error.service === null ? '' : foreign(error.service), error.duration_ms === null ? '' : `, ${number(error.duration_ms)} ms`), ' ',
      make('span', 'id', error.id));
    const row = make('details', isFault(error) ? 'error fault' : 'error', summary);
    row.dataset.number = error.number;
    row.dataset.id = error.id;
    // The bodies of a hundred closed rows need not be on the page.
    const fill = () => { if (row.open && row.children.length === 1) row.append(...detailsOf(error).filter(Boolean)); };
    row.addEventListener('toggle', fill);
    row.open = isOpen;
    fill();
    return row;
  };

  let search = new URLSearchParams(location.search).get('search') ?? '';
  let showsAll = false;
  let rows = new Map();
  let newest = 0;
  let opened = null;

  const showErrors = ({ errors, searched_id: searched }) => {
    const next = new Map();
    const shown = showsAll || searched ? errors : errors.slice(0, FEW_ERRORS);
    const opens = searched !== null && searched.id !== opened;
    opened = searched?.id ?? null;
    for (const error of shown) {
      const json = JSON.stringify(error);
      const known = rows.get(error.number);
      // A row that did not change stays, with what is selected in it.
      const isOpen = opens || (known?.row.open ?? false);
      next.set(error.number, known?.json === json && !opens ? known : { json, row: errorRow(error, isOpen) });
    }
    rows = next;
    const wanted = [...next.values()].map(({ row }) => row);
    const list = byId('errors');
    if (!wanted.length) list.replaceChildren(make('p', 'quiet', search ? 'None of the last errors matches the search.' : 'No errors yet.'));
    else if (wanted.some((row, at) => list.children[at] !== row) || list.children.length !== wanted.length) list.replaceChildren(...wanted);
    byId('more').textContent = `Show all ${errors.length}`;
    show(byId('more'), shown.length < errors.length);
    show(byId('all'), search !== '');
    showSearched(searched, errors);
    if (opens) byId('searched').scrollIntoView({ block: 'nearest' });

    const fresh = errors.filter(({ number: at, outcome }) => at > newest && outcome !== 'client_left');
    if (newest && fresh.length) byId('announce').textContent = `${fresh.length} new errors, the last one ${fresh[0].code || 'without a code'} on ${fresh[0].route ?? 'no route'}`;
    newest = Math.max(newest, errors[0]?.number ?? 0);
  };

  // What is known of an id whose errors are no longer, or never were, among the last ones.
  const showSearched = (searched, errors) => {
    show(byId('searched'), searched !== null);
    if (!searched) return;
    const known = errors.length ? [] : searched.known.map((it) => make('dl', 'facts',
      fact('Time', time(it.at)), fact('Status', statusOf(it)), fact('Code', it.code ? code(it.code) : none('none')),
      fact('Route', routeName(it.route)), fact('Scope', it.scope === null ? none('none') : foreign(it.scope)),
      fact('Service', it.service === null ? none('none') : foreign(it.service)),
      fact('Origin', it.origin === 'abandoned' && it.outcome === 'client_left' ? 'no error: the client left' : it.origin)));
    const isTrace = search.toLowerCase().includes(searched.trace_id);
    const found = searched.count ? `${number(searched.count)} records with this id` : `This id is not among the last 10,000 errors of this process${searched.began_at === null ? '' : `. If this layer made it, the request began at ${time(searched.began_at)}`}`;
    // A line has the client's trace id if there is one; else its request id begins the trace.
    byId('searched').replaceChildren(make('h3', 'id', isTrace ? searched.trace_id : searched.id), make('p', '', `${found}.`), ...known,
      make('p', 'quiet', 'In the log: ', make('code', '', `grep -F -e '${searched.id}' -e '${searched.trace_id}'`), '.'));
  };

  /* The routes. */

  const showRoutes = (policy, { routes, since }, isOff) => {
    const about = policy === null ? [] : [make('p', 'quiet', `Default mode ${policy.mode}, active since ${time(policy.since)}`, policy.hash === null ? '' : ', hash ', policy.hash === null ? '' : make('code', '', policy.hash.slice(0, 12)), '.')];
    const keyOf = ({ route, scope }) => JSON.stringify([route, scope]);
    const places = new Map(policy === null ? [] : [...policy.routes, { ...policy, route: null, scope: null }].map((it) => [keyOf(it), it]));
    const changes = (it) => {
      const all = it.next === null ? [] : [['own would refuse', it.own_would_refuse], ['fill would rewrite', it.fill_would_rewrite], ['enforce would rewrite', it.enforce_would_rewrite]];
      const some = [...all, ['without auth_observe would refuse', it.auth_would_refuse]].filter(([, count]) => count).map(([what, count]) => `${what} ${number(count)}`);
      return some.length ? make('span', 'quiet', `, ${some.join(', ')}`) : '';
    };
    const inPolicy = (it) => places.get(keyOf(it)) ?? places.get(keyOf({ ...it, scope: null }));
    const place = (from) => (from ? make('span', 'quiet', ` ${from.split('/').pop()}`) : '');
    const body = routes.map((it) => make('tr', '',
      cell('Route', routeName(it.route), it.scope ? ' in ' : '', it.scope ? foreign(it.scope) : '', it.in_policy ? place(inPolicy(it)?.from) : none(' not in the policy')),
      cell('Mode', isOff && it.mode !== 'off' ? make('b', '', 'off') : it.mode, isOff && it.mode !== 'off' ? make('span', 'quiet', ` (policy: ${it.mode})`) : '', place(inPolicy(it)?.mode_from)),
      cell('Requests', it.requests === null ? '?' : number(it.requests), it.client_left ? make('span', 'quiet', `, client left ${number(it.client_left)}`) : ''),
      cell('Errors', it.errors === null ? '?' : number(it.errors), it.without_code ? make('span', 'quiet', `, ${number(it.without_code)} with a generic code`) : ''),
      cell('Next', it.next === null ? VERDICTS[it.verdict] : `${it.next}: ${VERDICTS[it.verdict]}`, changes(it))));
    byId('routes').replaceChildren(...about, body.length
      ? make('table', '', make('caption', '', `While this policy was active, first at ${time(since)}`), head('Route', 'Mode', 'Requests', 'Errors', 'Next mode'), make('tbody', '', ...body))
      : make('p', 'quiet', 'The policy has no routes.'));
  };

  /* The kill switch. */

  let isOn = false;
  let changes = 'open';

  const showSwitch = (now) => {
    const { kill_switch: on, changed_at: at, changed_by: by, reason, client_address: client } = now.kill_switch;
    [isOn, changes] = [on, now.changes];
    const button = byId('switch');
    button.textContent = on ? 'Turn the kill switch off' : 'Kill switch';
    show(button, true);
    show(byId('switched'), on);
    if (!on) return;
    byId('switched').replaceChildren(make('p', '', make('strong', '', '✕ Kill switch on: every route is in mode off. '),
      'Clients get the services’ own errors. The errors are counted, but not logged or examined.'),
    make('p', '', `Turned on ${time(at)}`, by === null ? '' : ' by ', by === null ? '' : foreign(by), client === null ? '' : ` (from ${client})`, reason === null ? '' : ': ', reason === null ? '' : foreign(reason)));
  };

  const ask = () => {
    byId('ask-title').textContent = isOn ? 'Turn the kill switch off?' : 'Turn the kill switch on?';
    byId('effects').replaceChildren(...(isOn
      ? ['The policy’s modes apply again at once.']
      : ['On every route, clients get the services’ own errors. The errors are counted, but not logged or examined.',
        'Limits and required headers are not enforced. Credentials are still required.',
        'The switch applies at once to this process. It stays on until you turn it off; without --admin-journal, a restart also turns it off.']).map((text) => make('li', '', text)));
    byId('sure').textContent = isOn ? 'Turn off' : 'Turn on';
    byId('refused').textContent = changes === 'refused' ? 'This address is read-only, because others can reach it and no token protects changes. Start with --admin-token-file FILE.' : '';
    show(byId('refused'), changes === 'refused');
    byId('sure').disabled = changes === 'refused';
    byId('ask').showModal();
  };

  const change = async (event) => {
    event.preventDefault();
    const note = new URLSearchParams({ by: byId('by').value, reason: byId('reason').value });
    try {
      const response = await fetch(`/kill-switch/${isOn ? 'off' : 'on'}?${note}`, { method: 'POST', headers: credentials() });
      if (!response.ok) throw new Error((await response.text()).trim());
      byId('ask').close();
    } catch (error) {
      byId('refused').textContent = `Nothing was changed: ${visible(error.message)}`;
      show(byId('refused'), true);
      return;
    }
    await refresh();
  };

  const enter = async (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, byId('token').value);
    byId('token').value = '';
    byId('unlock').close();
    await refresh();
  };

  /* All of it. */

  let running = null;
  const refresh = async () => {
    const mine = Symbol('reading');
    running = mine;
    try {
      const policy = fetch('/policy', { cache: 'no-store', headers: credentials() }).then((response) => (response.ok ? response.json() : null));
      const [now, errors, active, readiness] = await Promise.all([read('/now.json'), read(`/errors.json?${new URLSearchParams({ search })}`), policy, read('/readiness.json')]);
      // A later reading has begun meanwhile, for example with another search.
      if (running !== mine) return;
      showNow(now);
      showSwitch(now);
      showHour(now.hour);
      showErrors(errors);
      showRoutes(active, readiness, now.kill_switch.kill_switch);
      show(byId('lost'), false);
    } catch (error) {
      if (running !== mine) return;
      byId('lost').textContent = `✕ This page is not up to date: ${visible(error.message)}`;
      show(byId('lost'), true);
    }
  };

  const searchFor = (text) => {
    search = text.trim();
    byId('text').value = search;
    history.pushState(null, '', search ? `/?${new URLSearchParams({ search })}` : '/');
    refresh();
  };

  byId('search').addEventListener('submit', (event) => { event.preventDefault(); searchFor(byId('text').value); });
  byId('all').addEventListener('click', () => searchFor(''));
  byId('more').addEventListener('click', () => { showsAll = true; refresh(); });
  byId('switch').addEventListener('click', ask);
  byId('enter').addEventListener('submit', enter);
  byId('change').addEventListener('submit', change);
  byId('leave').addEventListener('click', () => byId('ask').close());
  addEventListener('popstate', () => {
    search = new URLSearchParams(location.search).get('search') ?? '';
    byId('text').value = search;
    refresh();
  });
  byId('text').value = search;
  setInterval(() => { if (byId('follow').checked && !document.hidden) refresh(); }, REFRESH_MS);
  refresh();
})();
