// The canary of the page tests: whatever people do in a browser, the program's log tells of nobody. The same is looked at in
// crates/gongji/tests/it/silence.rs after every test there.

import { readFileSync } from 'node:fs';

const PERSONS = new URL('../data/sandbox/persons.csv', import.meta.url);

/** ID numbers of all test people begin with 99, an unassigned province; their phones with 1990000. */
const NUMBERS = /(?<![0-9A-Za-z])(?:99\d{15}[\dXx]|1990000\d{4})(?![0-9A-Za-z])/;

const names = readFileSync(PERSONS, 'utf8')
  .split('\n')
  .slice(1)
  .map((line) => line.split(',')[1])
  .filter(Boolean);

/** What a log has that it may not have, or nothing. */
export function told(log) {
  return log.match(NUMBERS)?.[0] ?? names.find((name) => log.includes(name));
}
