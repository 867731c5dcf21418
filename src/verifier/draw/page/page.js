const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const make = (tag, more, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};
const panel = find('aside');

// The data of a program's rows. A row has its line of source only if it differs from the row before.
const programs = all('.program').map((section, number) => {
  const told = find('template', section).content, rows = all('.walk li[id]', section);
  let line;
  return {
    number, rows, values: all('i', told), source: all('b', told),
    slots: rows.map(row => row.firstChild.textContent),
    lines: rows.map(row => line = row.dataset.l ?? line),
  };
});
const failures = all('.walk .failed').map(({ id, dataset }) => `#${id}${dataset.r ? `,${dataset.r}` : ''}`);
// Where the reader is.
let program = programs[0], index = -1, place = '', past = [], times = [], folded = false, later;

const frame = at => Number(program.rows[at].dataset.f ?? 0);
const parent = at => Number(program.rows[at].dataset.p ?? at - 1);
const link = (at, place) => `#p${program.number}-s${at}${place ? `,${place}` : ''}`;
const jump = (text, at, place) => make('a', { href: link(at, place) }, text);
const code = at => find('code', program.rows[at]).textContent;
// The row whose state is shown at a row: after a refused instruction there is no state.
const knownAt = at => program.rows[at].classList.contains('failed') ? parent(at) : at;

// The state after a row: each 256th row has all of it, the rows between have the differences.
function known(index) {
  const known = new Map();
  for (let at = index & ~255; at >= 0 && at <= index; at++) {
    for (const part of (program.rows[at].dataset.k ?? '').split(' ')) {
      const [place, value] = part.split('=');
      if (value) known.set(place, program.values[value]);
      else known.delete(place);
    }
  }
  return known;
}

// The rows that made a place's value at a row, back along the path: the last comes first.
function historyOf(index, place) {
  let at = knownAt(index), next;
  // After a function's end there is the state of its caller.
  const wanted = new Set([`${frame(index) - (at === index && program.rows[at].dataset.d === 'exit')}:${place}`]);
  const found = [];
  for (; at >= 0 && wanted.size && found.length < 500; next = at, at = parent(at)) {
    const own = frame(at), [to, ...from] = (program.rows[at].dataset.d ?? '').split(' ');
    const add = (place, what, told) => found.push({ at, place, what, told });
    const take = (frame, what) => ['r1', 'r2', 'r3', 'r4', 'r5'].filter(register => {
      const taken = wanted.delete(`${frame}:${register}`);
      if (taken) add(register, what);
      return taken;
    });
    if (to === 'call') {
      const passed = take(own + 1, 'passed to the function');
      // The function wrote all its other values itself.
      for (const it of wanted) if (it.startsWith(`${own + 1}:`)) wanted.delete(it);
      for (const register of passed) wanted.add(`${own}:${register}`);
    } else if (to === 'exit') {
      take(own - 1, 'wiped by the call');
      if (wanted.delete(`${own - 1}:r0`)) {
        wanted.add(`${own}:r0`);
        add('r0', 'returned');
      }
    } else if (to === '?') {
      const compared = from.find(place => wanted.has(`${own}:${place}`));
      if (compared) add(compared, `compared, continues at ${program.slots[next ?? index]}`, next === at + 1);
    } else {
      const wrote = wanted.delete(`${own}:${to}`);
      if (from.includes('!')) take(own, 'wiped by the call');
      if (!wrote) continue;
      add(to, '', true);
      for (const place of from) if (place !== '!' && place !== 'r10') wanted.add(`${own}:${place}`);
    }
  }
  return found;
}

const order = place => place[0] === 'r' ? Number(place.slice(1)) : 100 - place.slice(2);

function showKnown() {
  const at = knownAt(index);
  const changed = at === index ? all('span b', program.rows[at]).map(b => b.textContent) : [];
  find('.known').hidden = false;
  find('caption').textContent = `State ${at === index ? 'after' : 'before'} this instruction`;
  const places = [...known(at)].sort(([a], [b]) => order(a) - order(b));
  find('.known tbody').replaceChildren(...places.map(([name, { title, textContent }]) => {
    const history = jump(name, index, name === place ? '' : name);
    history.title = `How ${name} came about`;
    if (name === place) history.ariaCurrent = true;
    const kernels = title === textContent ? '' : make('small', {}, title);
    return make('tr', { className: changed.includes(name) ? 'changed' : '' },
      make('th', { scope: 'row' }, history), make('td', {}, textContent, kernels));
  }));
}

function showHistory() {
  past = place ? historyOf(index, place) : [];
  find('.history').hidden = !place;
  find('.history h3').textContent = `How ${place} came about`;
  const items = past.map(({ at, place, what, told }) => {
    program.rows[at].classList.add('past');
    const value = told && known(at).get(place);
    const says = [what, value && `${place} = ${value.textContent}`].filter(Boolean).join(': ');
    return make('li', {}, jump(program.slots[at], at, place), ' ', make('code', {}, code(at)), make('small', {}, says));
  });
  const is = known(knownAt(index)).has(place) ? 'it had this value at the beginning' : 'nothing is known about it';
  find('.history ol').replaceChildren(...items.length ? items.reverse() : [make('li', {}, is)]);
}

function showSource() {
  const list = find('.source ol'), { source, lines } = program;
  if (list.program !== program) {
    list.program = program;
    find('.source').hidden = !source.length;
    list.replaceChildren(...source.map(({ title, textContent }, line) => {
      const text = `${title.split(':').pop()} ${textContent}`, first = lines.indexOf(`${line}`);
      return make('li', { title }, first < 0 ? text : jump(text, first));
    }));
  }
  for (const old of all('[aria-current]', list)) old.ariaCurrent = null;
  const current = list.children[lines[index]];
  if (!current) return;
  current.ariaCurrent = true;
  list.scrollTop = current.offsetTop - list.clientHeight / 2;
}

function showTimes() {
  const all = program.slots.flatMap((slot, at) => slot === program.slots[index] ? [at] : []);
  const now = all.indexOf(index), deep = frame(index);
  times = [all[now - 1], all[now + 1]];
  find('.times').replaceChildren(
    all.length > 1 ? `Visit ${now + 1} of ${all.length}` : '',
    ...['previous', 'next'].flatMap((text, it) => times[it] === undefined ? [] : [' ', jump(text, times[it], place)]),
    deep ? ` In a function, ${deep} call${deep > 1 ? 's' : ''} deep` : '');
}

// Shows the instruction that an address names.
function show(address, move = true) {
  clearTimeout(later);
  const names = /^#p(\d+)-s(\d+)(?:,(r\d+|fp-\d+))?$/.exec(address);
  const row = names && programs[names[1]]?.rows[names[2]];
  if (!row) return;
  [program, index, place] = [programs[names[1]], Number(names[2]), names[3] ?? ''];
  for (const old of all('.picked, .past, .exact')) old.classList.remove('picked', 'past', 'exact');
  for (let at = row; at = at.parentElement.closest('details');) at.open = true;
  row.classList.add('picked');
  find('h2', panel).textContent = `${program.slots[index]}: ${code(index)}`;
  for (let at = parent(index); at >= row.dataset.x; at = parent(at)) program.rows[at].classList.add('exact');
  showTimes();
  showHistory();
  showKnown();
  showSource();
  if (move) row.scrollIntoView({ block: 'nearest' });
}

function go(to, of = place) {
  if (!program.rows[to]) return;
  const address = link(to, of);
  show(address);
  // Browsers allow only a few changes of the address a second.
  later = setTimeout(() => history.replaceState(null, '', address), 300);
}

// Goes to an address in a way that the browser can go back from.
function open(address) {
  if (location.hash === address) show(address);
  else location.hash = address;
}

function step(by) {
  let next = program, to = index + by;
  while (next && !next.rows[to]) {
    next = programs[next.number + by];
    to = by > 0 ? 0 : next?.rows.length - 1;
  }
  if (next) {
    program = next;
    go(to);
  }
}

function search(by) {
  const wanted = find('input').value.toLowerCase();
  const rows = programs.flatMap(program => program.rows.map((row, at) => ({ program, row, at })));
  const now = rows.findIndex(it => it.program === program && it.at === index);
  const found = wanted && rows.map((_, far) => rows.at((now + by * (far + 1)) % rows.length)).find(it => {
    const line = it.program.source[it.program.lines[it.at]]?.textContent;
    return `${it.row.textContent} ${line}`.toLowerCase().includes(wanted);
  });
  find('output').textContent = wanted && !found ? 'not found' : '';
  if (found) {
    program = found.program;
    go(found.at);
  }
}

const actions = {
  on: () => step(1),
  back: () => step(-1),
  failed: () => {
    const now = failures.findIndex(address => address.split(',')[0] === link(index));
    if (failures.length) open(failures[(now + 1) % failures.length]);
  },
  fold: () => {
    folded = !folded;
    for (const branch of all('.walk details')) branch.open = !folded;
    find('[data-do=fold]').textContent = folded ? 'Open all' : 'Fold all';
  },
  // To where the register was made, or to the previous instruction on the path.
  up: () => {
    const before = past.find(({ at }) => at < index);
    if (before) open(link(before.at, before.place));
    else if (!place && parent(index) >= 0) open(link(parent(index)));
  },
  before: () => go(times[0]),
  next: () => go(times[1]),
  search: () => find('input').select(),
  none: () => go(index, ''),
};
const keys = {
  j: 'on', ArrowDown: 'on', k: 'back', ArrowUp: 'back', e: 'failed', f: 'fold', u: 'up',
  n: 'next', p: 'before', '/': 'search', Escape: 'none',
};

document.addEventListener('keydown', event => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || index < 0) return;
  let action = actions[keys[key]];
  if (/^\d$/.test(key)) action = () => go(index, `r${key}`);
  if (target.tagName === 'INPUT') {
    action = { Escape: () => target.blur(), Enter: () => search(event.shiftKey ? -1 : 1) }[key];
  }
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener('click', ({ target }) => {
  actions[target.dataset.do]?.();
  const row = target.closest('.walk li[id]');
  // Selected text is to be copied.
  if (!row || target.closest('a') || !getSelection().isCollapsed) return;
  open(`#${row.id}${target.tagName === 'B' ? `,${target.textContent.replace('w', 'r')}` : ''}`);
});

// Makes the registers in an instruction clickable.
document.addEventListener('pointerover', ({ target }) => {
  if (!target.matches?.('.walk li[id] > code') || target.firstElementChild) return;
  const parts = target.textContent.split(/\b([rw]\d+)\b/);
  target.replaceChildren(...parts.map((text, at) => at % 2 ? make('b', {}, text) : text));
});

addEventListener('hashchange', () => show(location.hash));
find('[data-do=failed]').hidden = !failures.length;
find('[data-do=fold]').hidden = !find('.walk details');
document.body.classList.add('js');
panel.hidden = false;
show(location.hash || failures[0] || `#${find('.walk li[id]')?.id}`, !!location.hash);
