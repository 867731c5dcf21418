const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const make = (tag, more, ...children) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...children);
  return element;
};

// Packed bytes as text, in the page and in its address.
const through = async (bytes, stream) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
const unpack = text => {
  const bytes = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return through(Uint8Array.from(bytes, letter => letter.charCodeAt(0)), new DecompressionStream('deflate-raw'));
};
const pack = async text => {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream('deflate-raw'));
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join('')).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
};

const { instance: { exports: wasm } } = await WebAssembly.instantiate(await unpack(find('#wasm').textContent.trim()));
// The answer to a question: its text goes through the module's memory.
function ask(question) {
  const bytes = new TextEncoder().encode(JSON.stringify(question)), at = wasm.room(bytes.length);
  new Uint8Array(wasm.memory.buffer).set(bytes, at);
  const length = wasm.ask();
  return JSON.parse(new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.answer(), length)));
}

const FIRST = `; Counts its runs, and drops about half of the packets.
.program add xdp
.map runs array key 4 value 8 entries 1
        r1 = map[runs][0]+0
        r2 = 1
        lock *(u64 *)(r1 + 0) += r2
        call bpf_get_prandom_u32
        if w0 s< 0 goto out
        w0 = 1
out:    w0 &= 3
        exit
`;
const LONGEST = 30000;
const lessons = ask({ do: 'lessons' });
const [text, pasted, which, ctx, input] = ['#text', '#pasted', '#which', '#ctx', '#input'].map(id => find(id));
// What the address keeps.
let state = { tab: 'program', show: 'run', text: FIRST, log: '', ctx: '', lesson: 0, input: 0, program: 0, step: 0 };
let assembled = { programs: [] }, machine, before;

const tell = said => { find('#status').textContent = said; };
let later;
function keep() {
  clearTimeout(later);
  later = setTimeout(async () => {
    const packed = await pack(JSON.stringify(state));
    const fits = packed.length <= LONGEST;
    history.replaceState(null, '', fits ? `#${packed}` : '#');
    tell(fits ? '' : 'This is too long for an address: save it as a file.');
  }, 200);
}

function tabs() {
  for (const tab of all('header [role=tab]')) {
    const picked = tab.id === `tab-${state.tab}`;
    tab.setAttribute('aria-selected', picked);
    find(`#${tab.getAttribute('aria-controls')}`).hidden = !picked;
  }
  find('#lesson').hidden = state.tab !== 'program' || !state.lesson;
  for (const tab of all('[data-show]')) tab.setAttribute('aria-selected', tab.dataset.show === state.show);
  find('.run').hidden = state.show !== 'run';
  find('.shown').hidden = state.show === 'run';
}

// A line's columns are counted in bytes of UTF-8.
const column = (line, bytes) => new TextDecoder().decode(new TextEncoder().encode(line).slice(0, bytes)).length;
function underline(mistakes) {
  const lines = text.value.split('\n').map((line, number) => {
    const parts = [];
    let from = 0;
    for (const { start, end } of mistakes.filter(mistake => mistake.line === number + 1)) {
      const [first, last] = [column(line, start), Math.max(column(line, end), column(line, start) + 1)];
      if (first < from) continue;
      parts.push(line.slice(from, first), make('u', {}, line.slice(first, last) || ' '));
      from = last;
    }
    return [...parts, `${line.slice(from)}\n`];
  });
  find('.editor pre').replaceChildren(...lines.flat());
  scrolled();
}
const scrolled = () => {
  const back = find('.editor pre');
  [back.scrollTop, back.scrollLeft] = [text.scrollTop, text.scrollLeft];
};

function assemble() {
  assembled = ask({ do: 'assemble', text: state.text });
  underline(assembled.mistakes);
  find('.mistakes').textContent = assembled.text;
  which.replaceChildren(...assembled.programs.map(({ name, kind }) => make('option', {}, `${name} ${kind}`)));
  state.program = Math.min(state.program, Math.max(assembled.programs.length - 1, 0));
  which.selectedIndex = state.program;
  find('.mistakes').hidden = !assembled.text;
  show();
}

function show() {
  const program = assembled.programs[state.program];
  find('.shown').textContent = program?.[state.show] ?? '';
  tabs();
  begin();
}

function begin() {
  const program = assembled.programs[state.program];
  const lesson = state.lesson ? lessons[state.lesson - 1] : undefined;
  ctx.closest('label').hidden = Boolean(lesson);
  input.closest('label').hidden = !lesson;
  if (lesson) {
    input.replaceChildren(...lesson.runs.map(run => make('option', {}, run)));
    input.selectedIndex = state.input = Math.min(state.input, lesson.runs.length - 1);
  }
  const instructions = (program?.listing ?? '').split('\n').filter(line => /^\d+: \(/.test(line));
  find('.code').replaceChildren(...instructions.map(line =>
    make('li', { id: `slot-${line.split(':')[0]}` }, line)));
  machine = before = undefined;
  if (!program) return draw({ error: '' });
  draw(lesson
    ? ask({ do: 'start_lesson', text: state.text, lesson: state.lesson, run: state.input })
    : ask({ do: 'start', text: state.text, program: state.program, ctx: state.ctx, log: state.log }));
  if (state.step) go(state.step);
}

function go(step) {
  if (!machine) return;
  before = machine;
  draw(ask({ do: 'to', step: Math.max(step, 0) }));
  state.step = machine?.steps ?? 0;
  keep();
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
function draw(now) {
  machine = now.error === undefined ? now : undefined;
  find('.fault').textContent = now.error ?? now.fault ?? '';
  find('.result').textContent = now.result ?? '';
  find('.run output').textContent = machine ? `step ${now.steps}${now.ended ? ', ended' : ''}${now.depth > 1 ? `, function ${now.depth - 1} deep` : ''}` : '';
  for (const line of all('.code li')) {
    const here = machine && !now.ended && line.id === `slot-${now.slot}`;
    if (here) line.setAttribute('aria-current', 'true'); else line.removeAttribute('aria-current');
    if (here) line.parentElement.scrollTop = line.offsetTop - line.parentElement.clientHeight / 2;
  }
  const value = it => it ? [it.hex, it.number, it.is ?? ''] : ['', 'nothing', ''];
  const rows = (now.registers ?? []).map((register, number) => {
    const [hex, plain, is] = value(register);
    return make('tr', { className: before && !same(before.registers[number], register) ? 'changed' : '' },
      make('th', {}, `r${number}`), make('td', {}, is || plain), make('td', {}, hex),
      make('td', {}, register?.known ? `verifier: ${register.known}; here: ${is || plain}` : ''));
  });
  find('.registers tbody').replaceChildren(...rows);
  const words = (now.stacks ?? []).flatMap((stack, depth) => stack.map(word => {
    const old = before?.stacks[depth]?.find(other => other.at === word.at);
    return make('tr', { className: before && !same(old, word) ? 'changed' : '' },
      make('th', {}, `${depth ? `function ${depth}: ` : ''}fp${word.at}`), make('td', {}, word.bytes), make('td', {}, word.is ?? ''));
  }));
  find('.stack tbody').replaceChildren(...words);
  find('.stack').hidden = !words.length;
  for (const [name, said] of [['maps', now.maps], ['printed', now.printed]]) {
    find(`.${name}`).textContent = said ?? '';
    find(`.${name}-title`).hidden = !said;
  }
}

function explain() {
  const found = state.log.trim() ? ask({ do: 'explain', text: state.log }) : { count: 0, text: '', page: '' };
  find('.explanation').textContent = found.count || !state.log.trim() ? found.text : 'There is no log of the verifier in it.';
  walk(found.page);
}
// The page of a walk, once nobody has typed for a while: a browser loads only so many in a second.
let loading;
function walk(page) {
  clearTimeout(loading);
  // Its places are in its own address, not in this page's.
  const based = page.replace('<meta charset', '<base href=about:srcdoc>\n<meta charset');
  loading = setTimeout(() => Object.assign(find('#walk'), { hidden: !page, srcdoc: based }), 200);
}

// The lesson's text; its verdict is asked for when somebody wants it.
function lesson() {
  if (!state.lesson) return;
  const { title, paragraphs } = lessons[state.lesson - 1];
  const box = find('#lesson');
  find('h2', box).textContent = `Lesson ${state.lesson}: ${title}`;
  find('.text', box).textContent = paragraphs.join('\n\n');
  outcome('');
  const verdict = ask({ do: 'verdict', lesson: state.lesson });
  find('.note', box).textContent = `The verdict of Linux ${verdict.kernel}, recorded:`;
  find('.verdict', box).textContent = verdict.text;
  box.dataset.page = verdict.page;
}
function outcome(said, kind = '') {
  Object.assign(find('.outcome'), { textContent: said, className: `outcome ${kind}` });
}
function open(number) {
  Object.assign(state, { lesson: number, input: 0, step: 0, program: 0, tab: 'program', text: lessons[number - 1].broken });
  text.value = state.text;
  lesson();
  assemble();
  keep();
}
const doings = {
  broken: () => open(state.lesson),
  solution() {
    text.value = state.text = lessons[state.lesson - 1].solution;
    changed();
  },
  check() {
    const { passed, why, error } = ask({ do: 'check', lesson: state.lesson, text: state.text });
    if (passed) return outcome('It does the task on all inputs. The kernel was not asked: whether the verifier accepts it, rawbpf lesson --check says.', 'passed');
    outcome(error ?? `Not passed: ${why}.`, 'failed');
  },
  close() {
    state.lesson = 0;
    changed();
  },
  walk() {
    const { page } = find('#lesson').dataset;
    state.tab = 'log';
    tabs();
    find('.explanation').textContent = find('.verdict').textContent;
    walk(page);
  },
};
function changed() {
  Object.assign(state, { step: 0 });
  outcome('');
  assemble();
  keep();
}

all('header [role=tab]').forEach(tab => tab.addEventListener('click', () => {
  state.tab = tab.id.slice(4);
  tabs();
  keep();
}));
all('[data-show]').forEach(tab => tab.addEventListener('click', () => {
  state.show = tab.dataset.show;
  show();
  keep();
}));
all('[data-do]').forEach(button => button.addEventListener('click', () => doings[button.dataset.do]()));
const steps = { first: () => 0, back: () => machine.steps - 1, on: () => machine.steps + 1, last: () => 1000000 };
all('[data-step]').forEach(button => button.addEventListener('click', () => machine && go(steps[button.dataset.step]())));
const keys = { 0: 'first', k: 'back', j: 'on', e: 'last' };
document.addEventListener('keydown', event => {
  const typing = event.target.closest?.('input, textarea, select');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || state.tab !== 'program' || !keys[event.key]) return;
  find(`[data-step=${keys[event.key]}]`).click();
  event.preventDefault();
});
text.addEventListener('input', () => { state.text = text.value; changed(); });
text.addEventListener('scroll', scrolled);
pasted.addEventListener('input', () => { state.log = pasted.value; explain(); keep(); });
which.addEventListener('change', () => { Object.assign(state, { program: which.selectedIndex, step: 0 }); show(); keep(); });
ctx.addEventListener('input', () => { Object.assign(state, { ctx: ctx.value, step: 0 }); begin(); keep(); });
input.addEventListener('change', () => { Object.assign(state, { input: input.selectedIndex, step: 0 }); begin(); keep(); });
find('#share').addEventListener('click', () => navigator.clipboard.writeText(location.href).then(() => tell('Copied.'), () => tell('Copy it from the address bar.')));
find('#save').addEventListener('click', () => {
  const content = state.tab === 'log' ? state.log : state.text;
  const link = make('a', { href: URL.createObjectURL(new Blob([content])), download: state.tab === 'log' ? 'verifier.log' : 'program.bpf' });
  link.click();
  URL.revokeObjectURL(link.href);
});
// A file that is dropped: a log of the verifier, or a program.
document.addEventListener('dragover', event => event.preventDefault());
document.addEventListener('drop', async event => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) dropped(await file.text());
});
function dropped(content) {
  const isLog = state.tab === 'log' || ask({ do: 'explain', text: content }).count > 0;
  if (isLog) {
    Object.assign(state, { tab: 'log', log: content });
    pasted.value = content;
    explain();
  } else {
    Object.assign(state, { tab: 'program', text: content, lesson: 0, program: 0 });
    text.value = content;
    changed();
  }
  tabs();
  keep();
}

find('#contents').append(...lessons.map(({ title }, index) =>
  make('li', {}, make('button', { onclick: () => open(index + 1) }, title))));
async function restore() {
  try {
    if (location.hash.length > 1) state = { ...state, ...JSON.parse(new TextDecoder().decode(await unpack(location.hash.slice(1)))) };
  } catch {
    tell('The address holds nothing that this page knows.');
  }
  state.lesson = lessons[state.lesson - 1] ? state.lesson : 0;
  [text.value, pasted.value, ctx.value] = [state.text, state.log, state.ctx];
  lesson();
  explain();
  assemble();
}
await restore();
addEventListener('hashchange', restore);
document.documentElement.dataset.ready = '';
