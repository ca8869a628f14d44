// What a test file begins with: a browser, a sandbox of its own, and the people who live there.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { openPage, startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';
import * as people from './steps.mjs';

export let browser;
export let server;
/** A page at the sandbox's own counter: its clock, its inbox. */
export let sandbox;
/** Sample logins by name. */
export let logins;
/** Keys of sample institutions by name. */
export let keys;

before(async () => {
  [browser, server] = await Promise.all([startBrowser(), startServer()]);
  sandbox = await openPage(browser, server.origin);
  logins = await people.samplePeople(sandbox);
  keys = await people.sampleInstitutions(sandbox);
});

after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0);
});

/** A page of somebody, logged in; faults are looked for when it is left. */
export async function as(name, options) {
  const page = await openPage(browser, server.origin, options);
  if (name) await people.login(page, logins[name]);
  return page;
}

export async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.faults(), []);
    await page.leave();
  }
}
