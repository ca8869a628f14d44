// A real Chromium, and pages that remember what they did wrong: requests that left the origin, errors in the console.

import { chromium } from 'playwright-core';
import { existsSync } from 'node:fs';

/** Where Debian puts it; GONGJI_CHROMIUM names another. */
const PROGRAM = process.env.GONGJI_CHROMIUM ?? '/usr/bin/chromium';

/** Chromium talks to its maker unless it is told not to; a test that needs the outside world would prove nothing here. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

/** The sizes at which every page is looked at (CSS pixels). */
export const SIZES = {
  phone: { width: 390, height: 844 },
  tablet: { width: 768, height: 1024 },
  desktop: { width: 1440, height: 900 },
};

/** Waiting longer than this for one element is a failure with a name (ms). */
const WAIT_MS_MAX = 10_000;

export async function startBrowser() {
  if (!existsSync(PROGRAM)) throw new Error(`no Chromium at ${PROGRAM}; cargo xtask test installs it, GONGJI_CHROMIUM names another`);
  return chromium.launch({ executablePath: PROGRAM, args: FLAGS });
}

/**
 * A page in a context of its own, as of one person on one device.
 * `page.faults()` tells what no page may do; `close()` ends the context.
 */
export async function openPage(browser, origin, { size = SIZES.phone, script = true, scheme = 'light', zoom = 1 } = {}) {
  // Zoom of 200 % is half the CSS pixels at twice the density: what a browser's own zoom does to a layout.
  const viewport = { width: Math.round(size.width / zoom), height: Math.round(size.height / zoom) };
  const context = await browser.newContext({
    baseURL: origin,
    viewport,
    deviceScaleFactor: zoom,
    javaScriptEnabled: script,
    colorScheme: scheme,
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(WAIT_MS_MAX);
  const page = await context.newPage();
  const faults = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`asked another origin: ${url}`);
  });
  page.on('console', (message) => {
    // A page that answers 4xx on purpose is logged by the browser as an error of loading; that is no fault of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 500) faults.push(`${response.status()} from ${response.request().method()} ${new URL(response.url()).pathname}`);
  });
  page.faults = () => [...faults];
  page.leave = () => context.close();
  return page;
}
