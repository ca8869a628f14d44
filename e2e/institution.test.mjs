// An institution at its own page: its day, a file of its own, and what does not agree. In a real browser, without script where it matters.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as accessibility from './accessibility.mjs';
import { SIZES } from './browser.mjs';
import { as, keys, leave } from './stage.mjs';
import * as people from './steps.mjs';

const INSTITUTION = '喀什安和医院';
const PAYER = '买买提·吐尔逊';

/** Pictures to look at, where somebody asks for them. */
const PICTURES = process.env.GONGJI_E2E_PICTURES;

async function open(options) {
  const page = await as(null, options);
  await page.goto('/institution');
  await page.fill('#institution_key', keys[INSTITUTION]);
  await people.press(page, '打开收银台');
  await people.landed(page, '的账');
  return page;
}

const main = (page) => page.locator('main').innerText();

async function sendFile(page, path) {
  await page.goto('/institution');
  await page.setInputFiles('#file', path);
  await people.press(page, '开始对账');
}

describe('the page of an institution', () => {
  let folder;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gongji-e2e-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('opens with the key, shows an empty day, and asks for what is missing', async () => {
    const page = await open({ script: false });
    await page.goto('/institution?day=2026-11-01');
    assert.match(await main(page), /这天没有收款和退费/);
    await people.press(page, '开始对账');
    assert.equal(await page.locator('#problems li').count(), 2, 'class and file are asked for at once');
    await leave(page);
  });

  it('agrees with its own lines, finds what was changed, and refuses a bad file with its lines', async () => {
    const payer = await as(PAYER);
    const page = await open({ script: false });
    const order = await people.hold(page, await people.paymentCode(payer), { total: '90', fund: '60', own: '30' });
    await people.press(page, '确认收款');
    await people.landed(page, '已收');
    await page.goto('/institution');
    assert.match(await main(page), /¥30\.00/);
    assert.equal(await page.locator(`a[href="${order}"]`).count(), 1, 'the order is a step away');
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('a[href*="lines.csv"]').first().click()]);
    const own = join(folder, 'own.csv');
    await download.saveAs(own);
    await sendFile(page, own);
    await people.landed(page, '对平了');

    const lines = (await readFile(own, 'utf8')).replaceAll('30.00', '31.00');
    const changed = join(folder, 'changed.csv');
    await writeFile(changed, lines);
    await sendFile(page, changed);
    await people.landed(page, '要核对');
    assert.match(await main(page), /机构列 ¥31\.00.平台是 ¥30\.00/);
    const [breaks] = await Promise.all([page.waitForEvent('download'), page.locator('a[href*="breaks.csv"]').first().click()]);
    assert.match(breaks.suggestedFilename(), /gongji-breaks-/);

    const bad = join(folder, 'bad.csv');
    await writeFile(bad, lines.replaceAll('31.00', '31.001'));
    await sendFile(page, bad);
    await people.landed(page, '文件没有用上');
    assert.match(await main(page), /小数点后两位/);
    await page.goto('/institution');
    assert.match(await main(page), /处要核对/);
    await leave(payer, page);
  });

  it('reads well on a phone and a screen, light and dark', async () => {
    const found = [];
    for (const [name, options] of Object.entries({
      phone: { size: SIZES.phone },
      'phone-dark': { size: SIZES.phone, scheme: 'dark' },
      desktop: { size: SIZES.desktop },
      'desktop-dark': { size: SIZES.desktop, scheme: 'dark' },
    })) {
      const page = await open(options);
      const results = await page.locator('a[href^="/institution/files/"]').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
      assert.equal(results.length, 3);
      for (const [nth, path] of ['/institution', ...results].entries()) {
        await page.goto(path);
        if (PICTURES) await page.screenshot({ path: join(PICTURES, `institution-${name}-${nth}.png`), fullPage: true });
        for (const finding of await accessibility.findings(page, 'normal')) found.push(`${name} ${path}: ${finding}`);
      }
      await leave(page);
    }
    assert.deepEqual(found, []);
  });
});
