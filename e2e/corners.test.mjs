// What else people do: register, forget, act for others, meet closed hours and a lawful no. One server; the clock only moves forward, so
// the order of the tests is part of them.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { as, keys, leave, logins, sandbox } from './stage.mjs';
import * as people from './steps.mjs';

const main = (page) => page.locator('main').innerText();

describe('getting in', () => {
  it('registers somebody on file, whom the code reaches', async () => {
    const page = await as(null, { script: false });
    await page.goto('/register');
    await people.press(page, '发验证码');
    assert.equal(await page.locator('#problems li').count(), 4, 'every field is told at once');
    await page.fill('#name', '韦秀莲');
    await page.fill('#id_number', '990145195802170029');
    await page.fill('#phone', '19900000030');
    await page.check('#consent');
    await people.press(page, '发验证码');
    await people.landed(page, '验证码是多少');
    const code = await people.newestCode(sandbox, '19900000030');
    const fill = async (password) => {
      await page.fill('#code', code);
      await page.fill('#password', password);
      await page.fill('#password_again', password);
      await people.press(page, '完成注册');
    };
    await fill('123456');
    assert.match(await main(page), /连着的数字/);
    await fill('820517');
    await page.waitForURL('**/wallet');
    assert.match(await main(page), /还差一步/);
    await leave(page);
  });

  it('answers somebody who is not on file in the same words', async () => {
    const page = await as(null);
    await page.goto('/register');
    await page.fill('#name', '查无此人');
    await page.fill('#id_number', '990145195802170029');
    await page.fill('#phone', '19900000099');
    await page.check('#consent');
    await people.press(page, '发验证码');
    await people.landed(page, /验证码是多少|先认识一下/);
    await page.goto('/login');
    await page.fill('#account', '990145195802170029');
    await page.fill('#password', '111222');
    await people.press(page, /^登录/);
    assert.match(await main(page), /身份证号或密码不对/);
    assert.equal(await page.inputValue('#account'), '990145195802170029');
    assert.equal(await page.inputValue('#password'), '', 'a password never comes back');
    await leave(page);
  });

  it('sets a new password by the registered phone, and ends the other devices', async () => {
    const other = await as('李凤仙');
    const page = await as(null);
    await page.goto('/forgot');
    await page.fill('#id_number', logins['李凤仙'].idNumber);
    await people.press(page, '发验证码');
    const code = await people.newestCode(sandbox, '19900000045');
    await page.fill('#code', code);
    await page.fill('#password', '604817');
    await page.fill('#password_again', '604817');
    await people.press(page, '换成新密码');
    await page.waitForURL('**/wallet');
    await other.goto('/wallet');
    assert.match(other.url(), /\/login\?back=/);
    logins['李凤仙'].password = '604817';
    await page.goto('/security');
    await people.press(page, '退出登录');
    await page.goto('/wallet');
    assert.match(page.url(), /\/login/);
    await leave(page, other);
  });

  it('hands over everything that is kept of a person, and lets them sign off', async () => {
    const page = await as(null, { script: false });
    await page.goto('/login?back=/security');
    await page.fill('#account', '990145195802170029');
    await page.fill('#password', '820517');
    await people.press(page, /^登录/);
    await page.waitForURL('**/security');
    await page.fill('#password_for_data', '000000');
    await people.press(page, '下载我的资料');
    assert.match(await main(page), /医保码密码不对/);
    await page.fill('#password_for_data', '820517');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '下载我的资料' }).click()]);
    assert.equal(download.suggestedFilename(), 'gongji-my-data.json');
    const copy = JSON.parse(await readFile(await download.path(), 'utf8'));
    assert.equal(copy.identity.id_number, '990145195802170029');
    assert.deepEqual(copy.consents.map((consent) => consent.subject), ['register']);
    const leaveForm = page.locator('form[action="/security/sign-off"]');
    if (!(await leaveForm.isVisible())) await page.getByText('注销登录', { exact: true }).first().click();
    await page.fill('#password_to_leave', '820517');
    await leaveForm.getByRole('button').last().click();
    assert.match(await main(page), /请先勾选/, 'nobody signs off by a slip');
    await page.fill('#password_to_leave', '820517');
    await page.check('#sure');
    await leaveForm.getByRole('button').last().click();
    assert.match(await page.locator('body').innerText(), /登录注销了/);
    await page.goto('/wallet');
    assert.match(page.url(), /\/login/);
    await leave(page);
  });

  it('comes back, after logging in by code, to the page that was asked for', async () => {
    const page = await as(null, { script: false });
    await page.goto('/statement?kind=pay');
    await page.fill('#account', logins['林海'].idNumber);
    await people.press(page, '发验证码');
    await page.fill('#code', await people.newestCode(sandbox, '19900000053'));
    await people.press(page, '登录');
    assert.match(page.url(), /\/statement\?kind=pay$/);
    assert.match(await main(page), /泸州安和医院/);
    await leave(page);
  });
});

describe('acting for a relative', () => {
  it('opens for a child with the guardian’s consent, and shows the child’s wallet', async () => {
    const page = await as('陈静');
    await page.goto('/wallet/open-for');
    await page.fill('#name', '李沐阳');
    await page.fill('#id_number', '990132201604080010');
    await page.selectOption('#relation', { label: '儿子' });
    await page.selectOption('#place', { label: '苏州市' });
    await page.check('#consent');
    await people.press(page, '下一步');
    await people.landed(page, '你手机上的验证码');
    await page.fill('#code', await people.newestCode(sandbox, '19900000004'));
    await people.press(page, '替家人开通');
    await people.landed(page, '现在替谁办');
    await people.choose(page, 'person', '李沐阳');
    await people.press(page, '就这样办');
    assert.match(await page.locator('.acting').innerText(), /正在替\s*李沐阳\s*办理/);
    await people.landed(page, '李沐阳的医保钱包');
    await page.goto('/transfer');
    assert.match(await main(page), /转账要本人来办/);
    await leave(page);
  });

  it('confirms on the phone what a mother pays without one', async () => {
    const daughter = await as('古丽娜尔·买买提', { script: false });
    const till = await as(null);
    await people.openCashier(till, keys['喀什安和医院']);
    const order = await people.askRelative(till, '990165196009130021', { total: '90', fund: '60', own: '30' });
    await people.landed(till, '等家人在手机上确认');
    await daughter.goto('/wallet');
    await daughter.getByRole('link', { name: '去确认' }).click();
    await people.landed(daughter, '替阿依夏木');
    await daughter.fill('#password', logins['古丽娜尔·买买提'].password);
    await people.press(daughter, '确认付 ¥30.00');
    await people.landed(daughter, '确认好了');
    await till.goto(order);
    await people.landed(till, '已预占');
      assert.match(await till.locator('.outcome').innerText(), /¥30\.00/);
    await people.press(till, '确认收款');
    await people.landed(till, '已收');
      assert.match(await till.locator('.outcome').innerText(), /¥30\.00/);
    // Somebody unknown looks the same to the cashier.
    await people.askRelative(till, '990145195802170029', { total: '9', fund: '0', own: '9' });
    await people.landed(till, '等家人在手机上确认');
    await leave(daughter, till);
  });
});

describe('a lawful no', () => {
  it('tells all reasons before the money could move', async () => {
    const page = await as('李强');
    await people.draft(page, { receiver: { ...logins['周桂芳'], relation: '妈妈' }, amount: '9000' });
    await people.landed(page, '这样转不了');
    const reasons = await page.locator('.reasons .reason').allInnerTexts();
    assert.ok(reasons.some((reason) => reason.includes('每笔最多')) && reasons.some((reason) => reason.includes('余额不够')), reasons.join('; '));
    await people.press(page, '回去改');
    assert.equal(await page.inputValue('#amount'), '9000', 'what was typed came back');
    await leave(page);
  });

  it('does once what was sent five times at once', async () => {
    const page = await as('黄丽华', { script: false });
    await people.draft(page, { receiver: { name: '黄伯安' }, amount: '12.34' });
    await people.landed(page, '这样转');
    const form = await page.locator('form[action="/transfer/confirm"]').evaluate((form) => Object.fromEntries(new FormData(form)));
    const send = () => page.request.post('/transfer/confirm', { form: { ...form, password: logins['黄丽华'].password, check: 'password' }, maxRedirects: 0 });
    const answers = await Promise.all([send(), send(), send(), send(), send()]);
    assert.deepEqual(new Set(answers.map((answer) => answer.status())), new Set([303]));
    assert.equal(new Set(answers.map((answer) => answer.headers().location)).size, 1);
    assert.equal((await people.statement(page)).filter((line) => line.includes('12.34')).length, 1);
    await leave(page);
  });

  it('does not tell whether somebody exists', async () => {
    const page = await as('李强');
    const path = await people.transfer(
      page,
      { receiver: { name: '没有这人', idNumber: '990145195802170029', relation: '妈妈' }, amount: '10' },
      logins['李强'].password,
      '没有转成',
    );
    assert.doesNotMatch(await main(page), /没有这人|韦/);
    assert.match(await main(page), /现在不能转给这位家人/);
    const again = await page.goto(path);
    assert.equal(again.status(), 200);
    await leave(page);
  });

  it('shows 404 in the house style, and a crossing form nothing at all', async () => {
    const page = await as(null);
    const answer = await page.goto('/nowhere');
    assert.equal(answer.status(), 404);
    await people.landed(page, '这里没有');
    await leave(page);
  });
});

describe('as time passes', () => {
  it('closes at ten in the evening, keeps what was typed, and lets the receiver decline', async () => {
    await people.setClock(sandbox, '2026-11-23T21:59');
    const page = await as('赵永年');
    const path = await people.transfer(page, { receiver: { ...logins['赵敏'], relation: '女儿' }, source: '我的个人账户', amount: '66' }, logins['赵永年'].password, '等女儿收下');
    await people.setClock(sandbox, '2026-11-23T22:00');
    await page.goto('/transfer');
    assert.match(await main(page), /明天 06:00 以后可以转/);
    assert.ok(await page.getByRole('button', { name: '下一步' }).isDisabled());
    const daughter = await as('赵敏');
    await daughter.goto(path);
    await people.press(daughter, '不收');
    await people.landed(daughter, '没有收');
    await page.goto(path);
    await people.landed(page, '没有收');
    await leave(page, daughter);
  });

  it('gives back at six what nobody took', async () => {
    const page = await as('普云生');
    await page.goto('/wallet');
    assert.match(await page.locator('.waits').innerText(), /转给妈妈的 ¥200\.00/);
    await people.setClock(sandbox, '2026-11-24T06:00');
    const mother = await as('李凤仙');
    assert.match(await mother.locator('.home').innerText(), /没有要处理的事/);
    await page.goto('/wallet');
    assert.match(await page.locator('.home').innerText(), /没有要处理的事/);
    await page.goto('/notices');
    assert.match(await page.locator('.notices').innerText(), /没有人收下/);
    await leave(page, mother);
  });

  it('gives an unused quota back when the relation ends', async () => {
    await people.setClock(sandbox, '2026-11-24T10:00');
    const son = await as('马国栋');
    await son.goto('/relations');
    await son.getByRole('link', { name: /解除关系.*马文华/ }).click();
    await people.landed(son, '和马文华解除关系');
    assert.match(await main(son), /没用完的 ¥1,522\.85/);
    await people.press(son, '解除关系');
    await people.landed(son, '我的家人');
    const father = await as('马文华');
    assert.equal(await people.balance(father), '¥400.00');
    assert.match((await people.statement(son)).join('; '), /额度退回来了 \+¥1,522\.85/);
    await leave(son, father);
  });
});
