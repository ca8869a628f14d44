// What axe knows, and the numbers of elder mode, which it does not.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Least size of a target (CSS pixels): elder mode after the national rules for ageing-friendly apps, the other after WCAG 2.5.5. */
export const TARGET_PX_MIN = { normal: 44, elder: 60 };

/** In normal mode these are dense on purpose and not what a page is for: they keep WCAG 2.5.8 (AA). In elder mode nothing is exempt. */
const DENSE = { within: '.ribbon, .tiles, .reference-nav, .foot', least: 24 };

/** Least size of main text in elder mode (CSS pixels). */
export const ELDER_TEXT_PX_MIN = 18;

/** All of axe's rules for WCAG A and AA and its good practice; the findings as lines that one can act on. */
export async function axeFindings(page) {
  // Evaluated, not added as a script: the pages forbid inline script, and should.
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    // What sticks to an edge covers something wherever one stops scrolling; one scrolls on.
    for (const element of document.querySelectorAll('body *')) {
      if (getComputedStyle(element).position === 'sticky') element.style.position = 'static';
    }
    const result = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      resultTypes: ['violations'],
    });
    return result.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary ?? ''}`) }));
  });
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.replace(/\s+/g, ' ')}`));
}

/** Does anything stick out to the side? Then a phone scrolls in two directions. */
export async function sidewaysFindings(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    // Elements inside a box that scrolls by itself (a wide table) are meant to be wider.
    const scrollsItself = (element) => {
      for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
        if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(at).overflowX)) return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > width + 0.5 && !scrollsItself(element));
    const names = wide.slice(0, 5).map((element) => `${element.tagName.toLowerCase()}.${element.className}`);
    return [`scrolls sideways: ${document.documentElement.scrollWidth} px in ${width} px${names.length ? ` (${names.join(', ')})` : ''}`];
  });
}

/** Targets smaller than a finger. Links inside running text are exempt, as in WCAG: their height is the line's. */
export async function targetFindings(page, mode) {
  return page.evaluate(([ordinary, dense]) => {
    const named = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button]';
    const findings = [];
    for (const element of document.querySelectorAll(named)) {
      const style = getComputedStyle(element);
      if (style.visibility === 'hidden' || !element.checkVisibility() || element.disabled) continue;
      // Shown only when the keyboard reaches it (skip links), or only to screen readers.
      if (element.matches('.skip, .sr') || style.clipPath !== 'none' || style.position === 'absolute' && style.clip !== 'auto') continue;
      let box = element.getBoundingClientRect();
      // Who misses a box or a dot hits its label.
      if (element.matches('input[type=radio], input[type=checkbox]') && element.labels?.length) box = element.labels[0].getBoundingClientRect();
      if (box.width === 0 || box.height === 0) continue;
      const inText = element.tagName === 'A' && style.display === 'inline' && [...element.parentElement.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '');
      if (inText) continue;
      const least = dense && element.closest(dense.within) ? dense.least : ordinary;
      if (Math.round(box.height) < least || Math.round(box.width) < least) {
        const words = (element.innerText || element.getAttribute('aria-label') || element.name || element.tagName).trim().slice(0, 20);
        findings.push(`target ${Math.round(box.width)}×${Math.round(box.height)}, at least ${least}: ${words}`);
      }
    }
    return findings;
  }, [TARGET_PX_MIN[mode], mode === 'elder' ? null : DENSE]);
}

/** Text in elder mode that is smaller than elder mode promises. */
export async function elderTextFindings(page) {
  return page.evaluate((least) => {
    const findings = new Set();
    const walker = document.createTreeWalker(document.querySelector('main') ?? document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.trim();
      const element = walker.currentNode.parentElement;
      if (text === '' || !element.checkVisibility() || element.closest('.sr, script, style, svg, [aria-hidden=true]')) continue;
      const size = parseFloat(getComputedStyle(element).fontSize);
      if (size < least) findings.add(`text of ${size} px, at least ${least}: ${text.slice(0, 20)}`);
    }
    return [...findings];
  }, ELDER_TEXT_PX_MIN);
}

/** Everything above that applies to a page in this mode. */
export async function findings(page, mode) {
  const found = [...(await axeFindings(page)), ...(await sidewaysFindings(page)), ...(await targetFindings(page, mode))];
  return mode === 'elder' ? [...found, ...(await elderTextFindings(page))] : found;
}
