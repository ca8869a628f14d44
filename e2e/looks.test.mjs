// What each page looks like: to a machine that reads it aloud, to a finger, on every screen.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as accessibility from './accessibility.mjs';
import { SIZES } from './browser.mjs';
import { as, keys, leave } from './stage.mjs';
import * as people from './steps.mjs';

describe('each page', { concurrency: 2 }, () => {
  const OF_EVERYBODY = ['/', '/?mine=370100&family=510500', '/regions/370000', '/institutions?area=510500', '/register', '/login', '/forgot', '/nowhere', '/cashier/login'];
  const OF_A_PERSON = ['/wallet', '/transfer', '/pay', '/premium', '/place', '/origins', '/relations', '/statement', '/statement/picture', '/statement/print', '/notices', '/security', '/act-for', '/wallet/open-for'];
  const OF_THE_SANDBOX = ['/sandbox', '/sandbox/inbox', '/sandbox/face'];
  const PERSON = '买买提·吐尔逊';

  for (const mode of ['normal', 'elder']) {
    it(`is readable by machine and finger in ${mode} mode`, async () => {
      const page = await as(PERSON);
      if (mode === 'elder') await people.elderMode(page);
      const found = [];
      const look = async (path) => {
        if (path) await page.goto(path);
        for (const finding of await accessibility.findings(page, mode)) found.push(`${path ?? page.url()}: ${finding}`);
      };
      for (const path of [...OF_A_PERSON, ...OF_THE_SANDBOX]) await look(path);
      await people.paymentCode(page);
      await look();
      await page.goto('/statement');
      await page.locator('a.movement').first().click();
      await look();
      await page.getByText('扫码的人会看到什么').click();
      await look();
      await page.goto('/wallet/open');
      await look();
      await page.context().clearCookies({ name: 'gongji' });
      for (const path of OF_EVERYBODY) await look(path);
      // By far the longest page; what elder mode changes is on all the others.
      if (mode === 'normal') await look('/docs');
      await page.goto('/register');
      await people.press(page, '发验证码');
      await look();
      await people.openCashier(page, keys['喀什安和医院']);
      for (const path of ['/cashier', '/cashier/no-phone']) await look(path);
      await page.goto('/cashier');
      await page.locator('.orders a').first().click();
      await look();
      assert.deepEqual(found, []);
      await leave(page);
    });
  }

  it('does not scroll sideways on any screen, nor at 200 % zoom', async () => {
    const found = [];
    for (const [name, options] of [
      ['tablet', { size: SIZES.tablet }],
      ['desktop', { size: SIZES.desktop }],
      ['phone at 200 %', { size: { width: 640, height: 844 }, zoom: 2 }],
      ['dark', { scheme: 'dark' }],
    ]) {
      const page = await as(PERSON, options);
      for (const path of ['/', '/wallet', '/transfer', '/pay', '/statement', '/statement/picture', '/statement/print', '/institutions', '/docs']) {
        await page.goto(path);
        for (const finding of await accessibility.sidewaysFindings(page)) found.push(`${name} ${path}: ${finding}`);
        if (name === 'dark' && path !== '/docs') for (const finding of await accessibility.axeFindings(page)) found.push(`${name} ${path}: ${finding}`);
      }
      await leave(page);
    }
    assert.deepEqual(found, []);
  });

  it('is light: the first load stays under 100 KB', async () => {
    const page = await as(null);
    let bytes = 0;
    page.on('response', async (response) => {
      const sizes = await response.request().sizes().catch(() => null);
      bytes += (sizes?.responseBodySize ?? 0) + (sizes?.responseHeadersSize ?? 0);
    });
    await page.goto('/', { waitUntil: 'networkidle' });
    assert.ok(bytes > 5_000 && bytes <= 100_000, `${bytes} bytes`);
    await leave(page);
  });
});
