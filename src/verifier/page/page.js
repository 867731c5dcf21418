const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const make = (tag, more, ...children) => {
    const element = Object.assign(document.createElement(tag), more);
    element.append(...children);
    return element;
};
const panel = find('aside');

// What a program's rows say. A row tells its line of source if that is not the line of the row before.
const programs = all('.program').map((section, number) => {
    const told = find('template', section).content, rows = all('.walk li[id]', section);
    let line;
    return {
        number, rows, values: all('i', told), source: all('b', told),
        slots: rows.map(row => row.firstChild.textContent),
        lines: rows.map(row => line = row.dataset.l ?? line),
    };
});

const frame = row => Number(row.dataset.f ?? 0);
const parent = (program, index) => Number(program.rows[index].dataset.p ?? index - 1);
const link = (program, index, place) => `#p${program.number}-s${index}${place ? `,${place}` : ''}`;
// The row behind which what is known at a row is known: nobody knows what is behind a refused instruction.
const behind = (program, index) =>
    program.rows[index].classList.contains('failed') ? parent(program, index) : index;
const code = row => find('code', row).textContent;

// What is known behind a row: each 256th row tells all, those between what differs.
function known(program, index) {
    const known = new Map();
    if (index < 0) return known;
    for (let at = index - index % 256; at <= index; at++) {
        for (const part of (program.rows[at].dataset.k ?? '').split(' ')) {
            const [place, value] = part.split('=');
            if (value) known.set(place, program.values[value]);
            else known.delete(place);
        }
    }
    return known;
}

// The rows that made a place what it is behind a row, back on the path: the last comes first.
function trail(program, index, place) {
    const first = behind(program, index), { dataset } = program.rows[index];
    // Behind a function's end is what its caller knows.
    const wanted = new Set([`${frame(program.rows[index]) - (first === index && dataset.d === 'exit')}:${place}`]);
    const found = [];
    for (let at = first, next = null; at >= 0 && wanted.size && found.length < 500; next = at, at = parent(program, at)) {
        const row = program.rows[at], own = frame(row);
        const [to, ...from] = (row.dataset.d ?? '').split(' ');
        const wipe = frame => [1, 2, 3, 4, 5].map(n => `r${n}`).filter(r => wanted.delete(`${frame}:${r}`));
        const add = (place, what, told) => found.push({ at, place, what, told });
        if (to === 'call') {
            for (const register of wipe(own + 1)) {
                wanted.add(`${own}:${register}`);
                add(register, 'handed over to the function');
            }
            // What else the function has, it wrote.
            for (const key of wanted) if (key.startsWith(`${own + 1}:`)) wanted.delete(key);
        } else if (to === 'exit') {
            for (const register of wipe(own - 1)) add(register, 'wiped by the call');
            if (wanted.delete(`${own - 1}:r0`)) {
                wanted.add(`${own}:r0`);
                add('r0', 'returned');
            }
        } else if (to === '?') {
            const compared = from.find(place => wanted.has(`${own}:${place}`));
            const on = next === null ? '' : `, goes on at ${program.slots[next]}`;
            if (compared) add(compared, `compared${on}`, next === at + 1);
        } else {
            const wrote = wanted.delete(`${own}:${to}`);
            if (from.includes('!')) for (const register of wipe(own)) add(register, 'wiped by the call');
            if (!wrote) continue;
            add(to, '', true);
            for (const place of from) if (place !== '!' && place !== 'r10') wanted.add(`${own}:${place}`);
        }
    }
    return found;
}

let program = programs[0], index = -1, place = '', past = [], folded = false, later;

const order = place => place[0] === 'r' ? Number(place.slice(1)) : 100 - place.slice(2);

function showKnown(row) {
    const at = behind(program, index);
    const changed = new Set(at === index ? all('span b', row).map(b => b.textContent) : []);
    find('caption').textContent = `Known ${at === index ? 'behind' : 'before'} it`;
    const places = [...known(program, at)].sort(([a], [b]) => order(a) - order(b));
    find('.known tbody').replaceChildren(...places.map(([name, value]) => {
        const button = make('button', { title: `How ${name} came about` }, name);
        button.ariaPressed = name === place;
        button.onclick = () => open(link(program, index, name === place ? '' : name));
        const words = make('td', {}, value.textContent);
        if (value.title !== value.textContent) words.append(make('small', {}, value.title));
        const line = make('tr', {}, make('th', { scope: 'row' }, button), words);
        if (changed.has(name)) line.className = 'changed';
        return line;
    }));
}

function showHistory() {
    past = place ? trail(program, index, place) : [];
    const section = find('.history');
    section.hidden = !place;
    find('h3', section).textContent = `How ${place} came about`;
    const items = past.slice().reverse().map(({ at, place, what, told }) => {
        const row = program.rows[at], value = told && known(program, at).get(place);
        row.classList.add('past');
        const says = [what, value && `${place} = ${value.textContent}`].filter(Boolean).join(': ') || place;
        return make('li', {}, make('a', { href: link(program, at, place) }, program.slots[at]), ' ',
            make('code', {}, code(row)), make('small', {}, says));
    });
    const is = known(program, behind(program, index)).has(place) ? 'it was so at the beginning' : 'nothing is known of it';
    const start = past.length ? [] : [make('li', {}, is)];
    find('ol', section).replaceChildren(...start, ...items);
}

function showSource() {
    const list = find('.source ol');
    if (list.program !== program) {
        const { source, lines } = list.program = program;
        const jump = line => go(lines.indexOf(line, index + 1) < 0 ? lines.indexOf(line) : lines.indexOf(line, index + 1));
        list.replaceChildren(...source.map(({ title, textContent }, line) => make('li', {}, make('button', {
            title, disabled: !lines.includes(`${line}`), onclick: () => jump(`${line}`),
        }, `${title.split(':').pop()} ${textContent}`))));
        find('.source').hidden = !source.length;
    }
    find('[aria-current]', list)?.removeAttribute('aria-current');
    const current = list.children[program.lines[index]];
    if (!current) return;
    current.ariaCurrent = true;
    list.scrollTop = current.offsetTop - list.clientHeight / 2;
}

function showTimes() {
    const slot = program.slots[index];
    const times = program.slots.flatMap((other, at) => other === slot ? [at] : []);
    const now = times.indexOf(index);
    const to = (at, text) => at === undefined ? '' : make('a', { href: link(program, at, place) }, text);
    const deep = frame(program.rows[index]);
    find('.times').replaceChildren(
        times.length > 1 ? `Time ${now + 1} of ${times.length} ` : '',
        to(times[now - 1], 'before'), ' ', to(times[now + 1], 'next'),
        deep ? ` In a function, ${deep} call${deep > 1 ? 's' : ''} deep` : '');
    return [times[now - 1], times[now + 1]];
}

// Shows the instruction that an address names.
function show(address, move = true) {
    clearTimeout(later);
    const names = /^#p(\d+)-s(\d+)(?:,(r\d+|fp-\d+))?$/.exec(address);
    const row = names && programs[names[1]]?.rows[names[2]];
    if (!row) return;
    [program, index, place] = [programs[names[1]], Number(names[2]), names[3] ?? ''];
    for (const old of all('.picked, .past, .exact')) old.classList.remove('picked', 'past', 'exact');
    for (let at = row.parentElement; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
    row.classList.add('picked');
    find('h2', panel).textContent = `${program.slots[index]}: ${code(row)}`;
    if (row.dataset.x) {
        for (let at = parent(program, index); at >= row.dataset.x; at = parent(program, at)) {
            program.rows[at].classList.add('exact');
        }
    }
    showTimes();
    showHistory();
    showKnown(row);
    showSource();
    if (move) row.scrollIntoView({ block: 'nearest' });
}

function go(to, of = place) {
    if (to === undefined || !program.rows[to]) return;
    const address = link(program, to, of);
    show(address);
    // Browsers take no more than some a second.
    later = setTimeout(() => history.replaceState(null, '', address), 300);
}

// What is gone to like this can be gone back from.
function open(address) {
    if (location.hash === address) show(address);
    else location.hash = address;
}

function step(by) {
    let next = program.number, to = index + by;
    while (programs[next] && !programs[next].rows[to]) {
        next += by;
        to = by > 0 ? 0 : programs[next]?.rows.length - 1;
    }
    if (!programs[next]) return;
    program = programs[next];
    go(to);
}

const failures = all('.walk li.failed').map(({ id, dataset }) => `#${id}${dataset.r ? `,${dataset.r}` : ''}`);

const actions = {
    on: () => step(1),
    back: () => step(-1),
    failed: () => {
        const now = failures.findIndex(address => address.split(',')[0] === link(program, index));
        if (failures.length) open(failures[(now + 1) % failures.length]);
    },
    fold: () => {
        folded = !folded;
        for (const branch of all('.walk details')) branch.open = !folded;
        find('[data-do=fold]').textContent = folded ? 'Open all' : 'Fold all';
    },
    // To where the register was made, or to the instruction before on the path.
    up: () => {
        const before = past.find(({ at }) => at < index);
        if (before) open(link(program, before.at, before.place));
        else if (!place && parent(program, index) >= 0) open(link(program, parent(program, index)));
    },
    before: () => go(showTimes()[0]),
    next: () => go(showTimes()[1]),
    search: () => find('input').select(),
    none: () => go(index, ''),
};

const keys = {
    j: 'on', ArrowDown: 'on', k: 'back', ArrowUp: 'back', e: 'failed', f: 'fold', u: 'up',
    n: 'next', p: 'before', '/': 'search', Escape: 'none',
};

function search(by) {
    const wanted = find('input').value.toLowerCase();
    const everywhere = programs.flatMap(program => program.rows.map((row, at) => ({ program, row, at })));
    const count = everywhere.length;
    const from = everywhere.findIndex(it => it.program === program && it.at === index);
    for (let step = 1; wanted && step <= count; step++) {
        const it = everywhere[(Math.max(from, by < 0 ? 0 : -1) + by * step + count * 2) % count];
        const line = it.program.source[it.program.lines[it.at]]?.textContent;
        if (`${it.row.textContent} ${line}`.toLowerCase().includes(wanted)) {
            program = it.program;
            find('output').textContent = '';
            return go(it.at);
        }
    }
    find('output').textContent = wanted ? 'not found' : '';
}

document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.tagName === 'INPUT') {
        if (event.key === 'Escape') event.target.blur();
        if (event.key === 'Enter') {
            event.preventDefault();
            search(event.shiftKey ? -1 : 1);
        }
        return;
    }
    const register = /^\d$/.test(event.key) && index >= 0 ? `r${event.key}` : '';
    const action = register ? () => go(index, register) : actions[keys[event.key]];
    if (!action) return;
    event.preventDefault();
    action();
});

document.addEventListener('click', ({ target }) => {
    const action = actions[target.dataset?.do];
    if (action) return action();
    const row = target.closest('.walk li[id]');
    // Who marks text wants to copy it.
    if (!row || target.closest('a') || !getSelection().isCollapsed) return;
    const chosen = target.tagName === 'B' ? `,${target.textContent.replace('w', 'r')}` : '';
    open(`#${row.id}${chosen}`);
});

// An instruction's registers can be chosen where they stand.
document.addEventListener('pointerover', ({ target }) => {
    const code = target.closest?.('.walk li[id] > code');
    if (!code || code.firstElementChild) return;
    const parts = code.textContent.split(/\b([rw]\d+)\b/);
    code.replaceChildren(...parts.map((text, at) => at % 2 ? make('b', {}, text) : text));
});

find('form').addEventListener('submit', event => event.preventDefault());
find('[data-do=failed]').hidden = !failures.length;
find('[data-do=fold]').hidden = !find('.walk details');
window.addEventListener('hashchange', () => show(location.hash));
document.body.classList.add('js');
panel.hidden = false;
show(location.hash || failures[0] || `#${find('.walk li[id]')?.id}`, !!location.hash);
