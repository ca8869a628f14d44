// The harness is itself tested: each check finds the fault it is for, and nothing on a good page.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as accessibility from './accessibility.mjs';
import { SIZES, openPage, startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';
import { told as toldBy } from './silence.mjs';

const TRIVIAL = [process.execPath, fileURLToPath(new URL('harness/page.mjs', import.meta.url)), '{address}'];

describe('the harness', () => {
  let browser;
  let server;
  before(async () => {
    [browser, server] = await Promise.all([startBrowser(), startServer({ command: TRIVIAL })]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const visit = async (path, options) => {
    const page = await openPage(browser, server.origin, options);
    await page.goto(path);
    return page;
  };

  it('finds nothing on a good page', async () => {
    const page = await visit('/good');
    assert.deepEqual(await accessibility.findings(page, 'elder'), []);
    assert.deepEqual(page.faults(), []);
    await page.leave();
  });

  for (const [path, check, told] of [
    ['/pale', accessibility.axeFindings, /^color-contrast/],
    ['/small', (page) => accessibility.targetFindings(page, 'normal'), /^target 30×30, at least 44/],
    ['/wide', accessibility.sidewaysFindings, /^scrolls sideways: .* in 390 px/],
    ['/tiny', accessibility.elderTextFindings, /^text of 13 px/],
  ]) {
    it(`finds what is wrong with ${path}`, async () => {
      const page = await visit(path);
      const found = await check(page);
      assert.equal(found.length, 1);
      assert.match(found[0], told);
      await page.leave();
    });
  }

  for (const [path, told] of [
    ['/elsewhere', /^asked another origin/],
    ['/broken', /^script: 坏了/],
    ['/none', /^500 from GET/],
  ]) {
    it(`reports the fault of ${path}`, async () => {
      const page = await visit(path);
      assert.equal(page.faults().length, 1, page.faults().join('\n'));
      assert.match(page.faults()[0], told);
      await page.leave();
    });
  }

  it('finds a person in a log', () => {
    for (const line of ['login of 990151195203150023 refused', 'id=99011319810130009X', 'texted 19900000002', '王秀兰 came']) assert.ok(toldBy(line), line);
    for (const line of ['H51050000001202611231000000005', 'trace_id=01a203e0ab19764a865a391e7d0233e8', '泸州安和医院 ready']) assert.equal(toldBy(line), undefined);
  });

  it('runs pages with and without script, and at 200 % zoom', async () => {
    const scripted = await visit('/scripted');
    assert.equal(await scripted.textContent('#said'), '有脚本');
    await scripted.leave();
    const plain = await visit('/scripted', { script: false });
    assert.equal(await plain.textContent('#said'), '没有脚本');
    await plain.leave();
    const zoomed = await visit('/good', { size: SIZES.tablet, zoom: 2 });
    assert.equal(await zoomed.evaluate(() => innerWidth), SIZES.tablet.width / 2);
    await zoomed.leave();
  });

  it('has a font for Chinese, rare names included', async () => {
    // A missing glyph is drawn as a box of the same width for every character; real glyphs differ from it.
    const page = await visit('/good');
    const drawn = await page.evaluate(() => {
      const draw = (character) => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 64;
        const pen = canvas.getContext('2d');
        pen.font = '48px sans-serif';
        pen.fillText(character, 4, 52);
        return canvas.toDataURL();
      };
      return { missing: draw('\u{10FFFD}'), common: draw('妈'), rare: draw('𬭚') };
    });
    assert.notEqual(drawn.common, drawn.missing);
    assert.notEqual(drawn.rare, drawn.missing);
    await page.leave();
  });

  it('says what a program said that did not start', async () => {
    const fails = [process.execPath, '-e', 'console.error("端口被占用"); process.exit(3)'];
    await assert.rejects(startServer({ command: fails }), /ended with 3; it said:\n端口被占用/);
  });
});
