// Where it can be used: what really works at which terminal, before money is sent and before somebody walks there; and what to do where it did not.
// One server; the clock only moves forward, so the order of the tests is part of them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import * as accessibility from './accessibility.mjs';
import { as, keys, leave, logins, sandbox, server } from './stage.mjs';
import * as people from './steps.mjs';

const PROGRAM = process.env.GONGJI_PROGRAM;
const LUZHOU = '/institutions?area=510500';

/** Pages set Chinese punctuation; the words are what counts here. */
const plain = (text) => text.replaceAll('\uff0c', ',').replaceAll('\uff1a', ':').replaceAll('\uff1f', '?');
const main = async (page) => plain(await page.locator('main').innerText());

describe('looking for a place', () => {
  it('tells in words what works at which terminal, also without script', async () => {
    const page = await as(null, { script: false });
    await page.goto(LUZHOU);
    assert.match(await main(page), /6 家可用,2 家已开通但近 7 天没有成功支付,2 家未开通/);
    const first = page.locator('.place', { hasText: '泸州安和医院' });
    assert.deepEqual(await first.locator('.ways li').allTextContents(), ['窗口可用', '自助机可用', '手机可用']);
    assert.match(plain(await first.innerText()), /最近一次用钱包付成:11月\d+日/);
    assert.equal(await page.locator('form[data-near]').isVisible(), false, 'no button that would do nothing');
    // By district, and by the way one pays.
    await page.selectOption('#district', '江阳区');
    await page.selectOption('#terminal', 'kiosk');
    await people.press(page, '找一找');
    assert.match(await main(page), /自助机:\d+ 家可用/);
    for (const place of await page.locator('.place').allInnerTexts()) assert.match(place, /江阳区/);
    await leave(page);
  });

  it('puts the nearest first, and the position is nowhere afterwards', async () => {
    const page = await as(null);
    await page.context().grantPermissions(['geolocation']);
    await page.context().setGeolocation({ latitude: 28.8839, longitude: 105.4365 });
    await page.goto(LUZHOU);
    await people.press(page, '离我近的排前面');
    assert.match(page.url(), /\/institutions\/near$/);
    assert.match(await main(page), /近处 6 家可用/);
    const distances = await page.locator('.place .muted strong').allInnerTexts();
    assert.match(distances[0], /约 \d+ 米/);
    const metres = distances.map((words) => Number(words.match(/[\d.]+/)[0]) * (words.includes('公里') ? 1000 : 1));
    const enabled = metres.slice(0, 8);
    assert.deepEqual(enabled, [...enabled].sort((a, b) => a - b));
    assert.doesNotMatch(await page.content(), /28\.88|105\.43/);
    assert.doesNotMatch(server.said(), /28\.88|105\.43/);
    assert.deepEqual((await page.context().cookies()).filter((cookie) => /28\.88|105\.43/.test(cookie.value)), []);
    assert.deepEqual(await accessibility.findings(page, 'normal'), []);
    await leave(page);
  });

  it('says what to do when the browser gives no position', async () => {
    const page = await as(null);
    await page.goto(LUZHOU);
    await page.getByRole('button', { name: '离我近的排前面' }).click();
    await page.getByText('拿不到位置').first().waitFor();
    assert.match(page.url(), /area=510500$/);
    await leave(page);
  });
});

describe('before money is sent', () => {
  it('shows the three counts of the place where the relative uses it', async () => {
    const page = await as('古丽娜尔·买买提', { script: false });
    await page.goto('/transfer');
    assert.match(plain(await page.locator('label.choice', { hasText: '买买提·吐尔逊' }).innerText()), /喀什.*近处 3 家可用/s);
    await people.draft(page, { receiver: { name: '买买提·吐尔逊' }, amount: '1' });
    await people.landed(page, '这样转');
    const nearby = plain(await page.locator('.nearby').innerText());
    assert.match(nearby, /近处 3 家可用/);
    assert.match(nearby, /窗口 3 家,自助机 \d 家,手机 \d 家能付/);
    assert.deepEqual(await page.locator('.nearby .tally strong').allInnerTexts(), ['3', '1', '1']);
    await page.goto('/pay');
    await leave(page);
  });
});

describe('where it did not work', () => {
  it('tells the payer why, and the office the whole way of the order', async () => {
    const page = await as('林海');
    const code = await people.paymentCode(page);
    assert.match(await main(page), /近处 6 家可用:窗口 6 家/);
    const till = await as(null);
    await people.openCashier(till, keys['泸州安和医院']);
    await people.hold(till, code, { total: '900000', fund: '0', own: '900000' });
    await people.landed(till, /没有收成|没收成|没有/);
    await page.getByText('没有收成').waitFor();
    assert.match(await main(page), /泸州安和医院 \d\d:\d\d 想收 ¥900,000\.00,没有收成/);
    assert.match(await main(page), /余额不够/);
    assert.deepEqual(await accessibility.findings(page, 'normal'), []);
    await page.getByText('在泸州安和医院付不了').click();
    assert.equal(await page.inputValue('#report-what'), 'refused');
    await people.press(page, '告诉经办窗口');
    assert.match(await main(page), /记下了/);
    // From a receipt as well.
    await page.goto('/statement?kind=pay');
    await page.locator('a.movement').first().click();
    await page.locator('details.report summary').click();
    await people.press(page, '告诉经办窗口');
    assert.match(await main(page), /记下了/);
    const told = execFileSync(PROGRAM, ['office', 'reports', '--data', server.data], { encoding: 'utf8' });
    assert.match(told, /扫了码,没有付成 {2}登录用户/);
    assert.match(told, /没有预占。余额不够/);
    assert.match(told, /机构下单:总额 ¥900,000\.00,个人付 ¥900,000\.00/);
    assert.match(told, /订单 SAMPLE-2026-\d+:已收款/);
    assert.match(told, /收款 ¥66\.40/);
    assert.doesNotMatch(told, /林海|990151197504020010/);
    await leave(page, till);
  });
});

describe('as days pass', () => {
  it('turns quiet where nobody pays, and ready again where somebody does', async () => {
    await people.setClock(sandbox, '2026-12-02T10:00');
    const page = await as('林海', { script: false });
    await page.goto(LUZHOU);
    assert.match(await main(page), /0 家可用,8 家已开通但近 7 天没有成功支付/);
    await page.goto('/pay');
    assert.match(await main(page), /近 7 天没有一家付成过/);
    const code = await people.paymentCode(page);
    const till = await as(null);
    await people.openCashier(till, keys['泸州安和医院']);
    await people.hold(till, code, { total: '2', fund: '0', own: '2' });
    await people.press(till, '确认收款');
    await people.landed(till, '已收');
    await page.goto(LUZHOU);
    assert.match(await main(page), /1 家可用,7 家已开通/);
    assert.deepEqual(await page.locator('.place', { hasText: '泸州安和医院' }).locator('.ways li').allTextContents(), ['窗口可用', '自助机7 天没付成过', '手机7 天没付成过']);
    await leave(page, till);
  });

  for (const [name, options, elder] of [['in the dark', { scheme: 'dark' }, false], ['in elder mode', {}, true], ['on a desktop', { size: { width: 1440, height: 900 } }, false]]) {
    it(`is readable by machine and finger ${name}`, async () => {
      const page = await as('林海', options);
      if (elder) await people.elderMode(page);
      const found = [];
      for (const path of [LUZHOU, '/institutions?area=510500&district=江阳区&terminal=kiosk', '/transfer', '/pay']) {
        await page.goto(path);
        for (const finding of await accessibility.findings(page, elder ? 'elder' : 'normal')) found.push(`${path}: ${finding}`);
      }
      assert.deepEqual(found, []);
      await leave(page);
    });
  }
});
