// What people do, one function for each thing; they find fields by their labels and buttons by their words, as people do.

import assert from 'node:assert/strict';

/** The page says by its heading where a step has led; anything else is told with all that the page complains of. */
export async function landed(page, heading) {
  const seen = (await page.locator('h1').first().innerText()).replace(/\s+/g, ' ').trim();
  if (heading instanceof RegExp ? heading.test(seen) : seen.includes(heading)) return;
  const told = await page.locator('.note.alarm, .reasons').allInnerTexts();
  assert.fail(`expected ${heading}, the page says 「${seen}」 ${told.join(' / ')} at ${page.url()}`);
}

/** Presses a button and waits for the page that answers; without script nothing else tells that it is there. */
export async function press(page, words) {
  const button = page.getByRole('button', { name: words }).first();
  await Promise.all([page.waitForNavigation(), button.click()]);
}

/** The people one can be, read off the sandbox's own page: name → {idNumber, password}. */
export async function samplePeople(page) {
  await page.goto('/sandbox');
  const cards = await page.locator('ul.people').first().locator('li').evaluateAll((all) =>
    all.map((card) => [card.querySelector('strong').textContent.trim(), ...[...card.querySelectorAll('code')].map((code) => code.textContent)]),
  );
  return Object.fromEntries(cards.map(([name, idNumber, password]) => [name, { name, idNumber, password }]));
}

/** The keys of institutions, by their names. */
export async function sampleInstitutions(page) {
  await page.goto('/sandbox');
  const cards = page.locator('ul.people').nth(1).locator('li');
  return Object.fromEntries(await cards.evaluateAll((all) => all.map((card) => [card.querySelector('strong').textContent.trim(), card.querySelector('code').textContent])));
}

/** Puts the clock to an hour: `2026-11-23T21:59`. */
export async function setClock(page, at) {
  await page.goto('/sandbox');
  await page.fill('#at', at);
  await press(page, '调过去');
  await landed(page, '沙箱');
}

/** The newest one-time code that the inbox shows for a phone. */
export async function newestCode(page, phone) {
  await page.goto(`/sandbox/inbox?phone=${phone}`);
  return page.locator('.sms-code code').first().innerText();
}

export async function login(page, { idNumber, password }) {
  await page.goto('/login');
  await page.fill('#account', idNumber);
  await page.fill('#password', password);
  await press(page, /^登录/);
  await page.waitForURL('**/wallet');
}

export async function elderMode(page) {
  await page.goto('/');
  await press(page, '长辈版');
  assert.equal(await page.locator('html[data-elder]').count(), 1);
}

/** Chooses one of several large rows. */
export async function choose(page, name, words) {
  await page.locator(`label.choice:has(input[name=${name}])`, { hasText: words }).first().click();
}

/** Fills the form of a transfer; `receiver` is {name, idNumber, relation, near} for a new one, {name} for a known one. */
export async function draft(page, { receiver, source = '我的个人账户', amount }) {
  await page.goto('/transfer');
  if (receiver.idNumber) {
    await page.locator('label.choice:has(input[name=receiver][value=new])').click();
    await page.fill('#name', receiver.name);
    await page.fill('#id_number', receiver.idNumber);
    await page.selectOption('#relation', { label: receiver.relation });
    if (receiver.near) await page.selectOption('#near', { label: receiver.near });
  } else {
    await choose(page, 'receiver', receiver.name);
  }
  await choose(page, 'source', source);
  await page.fill('#amount', amount);
  await press(page, '下一步');
}

/** From the form to the result; the path of its page. */
export async function transfer(page, wish, password, heading) {
  await draft(page, wish);
  await landed(page, '这样转');
  await page.fill('#password', password);
  await press(page, '确认转');
  await landed(page, heading);
  return new URL(page.url()).pathname;
}

/** Shows a payment code; its letters as a scanner would read them. */
export async function paymentCode(page) {
  await page.goto('/pay');
  await press(page, /出付款码|换一个新码/);
  const shown = await page.locator('.code-text').innerText();
  return shown.replace('付款码号码', '').replace(/\s/g, '');
}

export async function openCashier(page, key) {
  await page.goto('/cashier/login');
  await page.fill('#institution_key', key);
  await press(page, '打开收银台');
  await landed(page, '扫付款码');
}

async function bill(page, { total, fund, own }) {
  await page.fill('#total', total);
  await page.fill('#fund', fund);
  await page.fill('#own', own);
}

/** The cashier scans a code and types a bill; the path of the order's page. */
export async function hold(page, code, amounts) {
  await page.goto('/cashier');
  await page.fill('#code', code);
  await bill(page, amounts);
  await press(page, '收款');
  return new URL(page.url()).pathname;
}

/** A payer without a phone types number and password at the counter. */
export async function holdWithoutPhone(page, { idNumber, password }, amounts) {
  await page.goto('/cashier/no-phone');
  await page.fill('#id_number', idNumber);
  await bill(page, amounts);
  await page.fill('#password', password);
  await press(page, '收款');
  return new URL(page.url()).pathname;
}

/** The cashier asks the relative who may act. */
export async function askRelative(page, idNumber, amounts) {
  await page.goto('/cashier/no-phone');
  await page.fill('#id_number', idNumber);
  await bill(page, amounts);
  await press(page, '请家人在手机上确认');
  return new URL(page.url()).pathname;
}

export async function balance(page) {
  await page.goto('/wallet');
  return page.locator('.balance .big-sum').innerText();
}

/** Every line of the statement: what happened and how much. */
export async function statement(page) {
  await page.goto('/statement');
  return page.locator('a.movement').evaluateAll((lines) => lines.map((line) => `${line.querySelector('.what strong').textContent} ${line.querySelector('.sum').textContent}`));
}
