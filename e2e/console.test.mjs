// The console in a real browser: signing in by code, by passkey and for the first time; two people deciding; looking at people; every page read well.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as accessibility from './accessibility.mjs';
import { SIZES, openPage } from './browser.mjs';
import { browser, leave, logins, server } from './stage.mjs';

/** Pictures to look at, where somebody asks for them. */
const PICTURES = process.env.GONGJI_E2E_PICTURES;

const main = (page) => page.locator('main').innerText();

/** Passkeys want a name; the server is the same. */
const named = () => server.origin.replace('127.0.0.1', 'localhost');

async function door(options = {}) {
  const page = await openPage(browser, named(), { size: SIZES.desktop, ...options });
  await page.goto('/console');
  assert.match(page.url(), /\/console\/sign-in\?back=/);
  return page;
}

async function press(page, name) {
  await page.getByRole('button', { name, exact: typeof name === 'string' }).first().click();
}

async function signIn(login, options) {
  const page = await door(options);
  const row = page.locator('table tbody tr', { has: page.locator('td:first-child', { hasText: new RegExp(`^${login}$`) }) });
  await page.fill('input[name=login]', login);
  await page.fill('input[name=code]', (await row.locator('td').nth(1).innerText()).trim());
  await press(page, '登录');
  await page.waitForURL((url) => url.pathname === '/console');
  return page;
}

async function picture(page, name) {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `console-${name}.png`), fullPage: true });
}

describe('the console', () => {
  it('lets nobody in with a wrong code, and each code once', async () => {
    const page = await door({ script: false });
    const row = page.locator('table tbody tr', { has: page.locator('td:first-child', { hasText: /^shenji$/ }) });
    const code = (await row.locator('td').nth(1).innerText()).trim();
    await page.fill('input[name=login]', 'shenji');
    await page.fill('input[name=code]', code === '000000' ? '000001' : '000000');
    await press(page, '登录');
    assert.match(await main(page), /不对/);
    await page.fill('input[name=code]', code);
    await press(page, '登录');
    assert.match(await main(page), /等我复核/);
    await press(page, '退出');
    await page.goto('/console');
    assert.match(page.url(), /sign-in/);
    await page.fill('input[name=login]', 'shenji');
    await page.fill('input[name=code]', code);
    await press(page, '登录');
    assert.match(await main(page), /已经用过/);
    await leave(page);
  });

  it('signs in with a passkey of this device', async () => {
    const page = await signIn('guanli-2');
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await page.goto('/console/me');
    await press(page, '在这台设备上登记通行密钥');
    await page.waitForURL(/said=passkey/);
    assert.match(await main(page), /通行密钥登记好了/);
    await press(page, '退出');
    await page.goto('/console/operators');
    await page.fill('input[name=login]', 'guanli-2');
    await press(page, '用通行密钥登录');
    await page.waitForURL((url) => url.pathname === '/console/operators');
    assert.match(await main(page), /郑平/);
    await leave(page);
  });

  it('closes a region when a second person has seen what changes', async () => {
    const maker = await signIn('lz-jingban', { script: false });
    await maker.goto('/console/regions/510500');
    await maker.selectOption('select[name=what]', 'close');
    await maker.locator('input[name=document]').first().fill('泸医保发〔2026〕12号');
    await press(maker, /^提交.等同事复核$/);
    assert.match(await main(maker), /交上去了/);
    assert.equal(await maker.getByRole('button', { name: /^同意/ }).count(), 0, 'nobody decides what is their own');
    const path = new URL(maker.url()).pathname;

    const stranger = await signIn('jn-fuhe', { script: false });
    await stranger.goto(path);
    assert.match(await main(stranger), /管辖地区不能办/);

    const checker = await signIn('lz-fuhe', { script: false });
    assert.match(await main(checker), /四川省泸州市/);
    await picture(checker, 'home');
    await checker.goto(path);
    assert.match(await main(checker), /起停用/);
    await picture(checker, 'approval');
    await press(checker, /^同意/);
    assert.match(await main(checker), /已办结/);
    await checker.goto('/console/regions/510500');
    assert.match(await main(checker), /起停用/);
    await leave(maker, stranger, checker);
  });

  it('shows a person masked, in full for a reason, and writes both down', async () => {
    const someone = Object.values(logins)[0];
    const page = await signIn('jingban', { script: false });
    await page.goto('/console/people');
    await page.fill('input[name=number]', someone.idNumber);
    await press(page, '查');
    assert.match(await main(page), /\*/);
    await picture(page, 'person');
    assert.doesNotMatch(page.url() + (await main(page)), new RegExp(someone.idNumber), 'masked, and in no address');
    const form = page.locator('form', { has: page.locator('select[name=reason]') }).first();
    await form.locator('input[name=document]').fill('TS-20261123-7');
    await form.getByRole('button').click();
    assert.match(await main(page), new RegExp(someone.idNumber));
    const auditor = await signIn('guanli-1', { script: false });
    await auditor.goto('/console/audit?kind=looks');
    assert.match(await main(auditor), /看完整个人信息/);
    assert.match(await main(auditor), /TS-20261123-7/);
    await picture(auditor, 'audit');
    await leave(page, auditor);
  });

  it('tries new rules on the last month before anybody is bound by them', async () => {
    const page = await signIn('sc-jingban', { script: false });
    await page.goto('/console/rules/510000');
    await page.fill('input[name=max]', '100');
    await press(page, /^先试算/);
    assert.match(await main(page), /按新规则会拒绝/);
    await picture(page, 'what-if');
    await page.locator('input[name=document]').last().fill('川医保规〔2026〕3号');
    await press(page, /^提交.等同事复核$/);
    assert.match(await main(page), /单笔最多/);
    await leave(page);
  });

  it('reads well by keyboard, on a screen and a tablet, light and dark', async () => {
    const found = [];
    const paths = ['/console', '/console/regions', '/console/regions/510500', '/console/institutions', '/console/complaints', '/console/rules', '/console/rules/nation', '/console/watch?days=31', '/console/me'];
    for (const [name, login, more, options] of [
      ['desktop', 'fuhe', [], { size: SIZES.desktop }],
      ['tablet-dark', 'guanli-1', ['/console/operators', '/console/operators/8', '/console/audit'], { size: SIZES.tablet, scheme: 'dark' }],
    ]) {
      const page = await signIn(login, options);
      for (const path of [...paths.filter((path) => login === 'fuhe' || !path.includes('complaints')), ...more]) {
        await page.goto(path);
        await picture(page, `${name}${path.replaceAll(/[/?=]/g, '-')}`);
        for (const finding of await accessibility.axeFindings(page)) found.push(`${name} ${path}: ${finding}`);
        for (const finding of await accessibility.sidewaysFindings(page)) found.push(`${name} ${path}: ${finding}`);
      }
      if (name === 'desktop') {
        await page.goto('/console/institutions');
        await page.keyboard.press('j');
        await page.keyboard.press('j');
        assert.equal(await page.locator('tr.here').count(), 1);
        await page.keyboard.press('/');
        assert.equal(await page.evaluate(() => document.activeElement.name), 'q');
        await page.keyboard.press('Escape');
      }
      await leave(page);
    }
    const page = await door();
    await picture(page, 'door');
    for (const finding of await accessibility.axeFindings(page)) found.push(`door: ${finding}`);
    await leave(page);
    assert.deepEqual(found, []);
  });
});
