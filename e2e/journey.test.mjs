// The whole journey from both sides: who sends, who takes, the cashier who is paid. Four times: normal and elder mode, with and
// without script, each with a family of its own on one server.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPage } from './browser.mjs';
import { browser, keys, logins, server } from './stage.mjs';
import * as people from './steps.mjs';

const FAMILIES = [
  { elder: false, script: true, sender: '李强', receiver: '王秀兰', relation: '妈妈', near: '泸州市', hospital: '泸州安和医院' },
  { elder: true, script: true, sender: '丁建军', receiver: '宋凤莲', relation: '妈妈', near: '东营市', hospital: '东营安和医院' },
  { elder: false, script: false, sender: '扎西顿珠', receiver: '卓玛拉姆', relation: '妈妈', near: '日喀则市', hospital: '日喀则安和医院' },
  { elder: true, script: false, sender: '欧阳若兰', receiver: '欧阳文博', relation: '爷爷', near: '自贡市', hospital: '自贡安和医院' },
];

for (const { elder, script, sender, receiver, relation, near, hospital } of FAMILIES) {
  describe(`${sender} and ${receiver}, ${elder ? 'elder' : 'normal'} mode, ${script ? 'with' : 'without'} script`, () => {
    let from;
    let to;
    let till;
    const pages = () => [from, to, till];

    before(async () => {
      const open = () => openPage(browser, server.origin, { script });
      [from, to, till] = await Promise.all([open(), open(), open()]);
      if (elder) await Promise.all(pages().map(people.elderMode));
      await Promise.all([people.login(from, logins[sender]), people.login(to, logins[receiver]), people.openCashier(till, keys[hospital])]);
    });

    after(async () => {
      for (const page of pages()) {
        assert.deepEqual(page?.faults(), []);
        await page?.leave();
      }
    });

    let path;
    it('sends to a relative for the first time, after a look around', async () => {
      await people.draft(from, { receiver: { name: receiver, idNumber: '12', relation, near }, amount: '1,2' });
      await people.landed(from, '转给谁');
      assert.equal(await from.locator('#problems li').count(), 2);
      assert.equal(await from.inputValue('#name'), receiver, 'what was typed stays');

      await people.draft(from, { receiver: { ...logins[receiver], relation, near }, amount: '500' });
      await people.landed(from, '这样转');
      assert.match(await from.locator('.nearby').innerText(), /可用/);
      assert.doesNotMatch(from.url(), /\d{17}/, 'no number in an address');
      await from.fill('#password', '000000');
      await people.press(from, '确认转');
      assert.match(await from.locator('#problems').innerText(), /密码不对/);
      await from.fill('#password', logins[sender].password);
      await people.press(from, '确认转');
      await people.landed(from, /等.*收下/);
      path = new URL(from.url()).pathname;
    });

    it('shows the receiver what waits, who confirms the wallet by taking it', async () => {
      await to.goto('/wallet');
      assert.match(await to.locator('.waits').innerText(), /¥500\.00/);
      await to.getByRole('link', { name: '去收下' }).first().click();
      await people.landed(to, '转来一笔钱');
      await people.press(to, '收下');
      await people.landed(to, '已到账');
      assert.equal(await people.balance(to), '¥500.00');
      await from.goto(path);
      await people.landed(from, '已收到');
    });

    it('credits the second transfer at once', async () => {
      await people.transfer(from, { receiver: { name: receiver }, amount: '300.50' }, logins[sender].password, '已收到');
      assert.equal(await people.balance(to), '¥800.50');
    });

    it('pays by code, the bill in two parts, and gets a part back', async () => {
      const code = await people.paymentCode(to);
      const order = await people.hold(till, code, { total: '200', fund: '120', own: '80' });
      await people.landed(till, '已预占');
      assert.match(await till.locator('.outcome').innerText(), /¥80\.00/);
      await to.goto('/pay');
      assert.match(await to.locator('main').innerText(), /正在收款 ¥80\.00/);
      await till.fill('#amount', '50');
      await people.press(till, /^确认收款/);
      await people.landed(till, '已收');
      assert.match(await till.locator('.outcome').innerText(), /¥50\.00/);
      await till.goto(order);
      await people.press(till, /^撤销/);
      await people.landed(till, '已收');
      assert.match(await till.locator('.outcome').innerText(), /¥50\.00/);
      await till.locator('form[action$=refund] input[name=amount]').fill('20');
      await people.press(till, /^退费/);
      await people.landed(till, '已退 ¥20.00');
      assert.equal(await people.balance(to), '¥770.50');
      await people.hold(till, code, { total: '1', fund: '0', own: '1' });
      assert.match(await till.locator('main').innerText(), /用过/, 'a code is good once');
    });

    it('pays without a phone, and undoes the whole of it', async () => {
      await people.holdWithoutPhone(till, logins[receiver], { total: '60', fund: '20', own: '40' });
      await people.landed(till, '已预占');
      assert.match(await till.locator('.outcome').innerText(), /¥40\.00/);
      await people.press(till, '确认收款');
      await people.landed(till, '已收');
      assert.match(await till.locator('.outcome').innerText(), /¥40\.00/);
      await people.press(till, '冲正');
      await people.landed(till, '已冲正');
      assert.equal(await people.balance(to), '¥770.50');
    });

    it('pays the premium once', async () => {
      await to.goto('/premium');
      await people.press(to, '下一步');
      await people.landed(to, '这样缴');
      await to.fill('#password', logins[receiver].password);
      await people.press(to, /^缴 2027/);
      await people.landed(to, '缴好了');
      await to.goto('/premium');
      assert.match(await to.locator('main').innerText(), /2027 年已经缴过了/);
    });

    it('tells every fen in the statement, its receipt and its picture', async () => {
      const lines = await people.statement(to);
      assert.ok(lines.some((line) => /转来 \+¥500\.00/.test(line)), lines.join('; '));
      assert.ok(lines.some((line) => /看病 −¥80\.00/.test(line)), lines.join('; '));
      await to.locator('a.movement', { hasText: '看病' }).first().click();
      await people.landed(to, '付款凭证');
      assert.match(await to.locator('.origin-rows').innerText(), new RegExp(sender));
      await to.goto('/statement/picture');
      assert.match(await to.locator('table').innerText(), /2026年11月/);
      await to.goto('/statement/print');
      assert.match(await to.locator('tfoot').innerText(), /收/);
      await to.getByText('扫码的人会看到什么').click();
      await people.landed(to, '账上有这张单子');
      assert.doesNotMatch(await to.locator('main').innerText(), new RegExp(`${sender}|${receiver}`), 'whoever scans it learns no name');
      await to.goBack();
      await to.selectOption('#month', { index: 1 });
      await people.press(to, '看这个月');
      assert.match(to.url(), /month=2026-10/);
      assert.match(await to.locator('.facts').innerText(), /2026年10月/);
      await to.goto('/origins');
      assert.match(await to.locator('.lots').innerText(), new RegExp(sender));
    });

    it('has told both of it', async () => {
      await to.goto('/notices');
      assert.match(await to.locator('.notices').innerText(), new RegExp(`${sender}.*转来 ¥500.00`));
      await from.goto('/notices');
      assert.match(await from.locator('.notices').innerText(), /到账了/);
      await people.press(from, '全部标为已读');
      assert.equal(await from.locator('.notices .fresh').count(), 0);
    });

    it("shows nobody another's pages", async () => {
      const strange = await to.goto('/movements/1');
      assert.equal(strange.status(), 404);
      await till.goto(path);
      assert.match(till.url(), /\/login\?back=/);
    });
  });
}
