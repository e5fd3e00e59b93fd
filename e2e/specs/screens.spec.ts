import type { Page, TestInfo } from '@playwright/test';
import { axeFindings, expect, sideways, test } from './fixtures';
import { SCREENS } from './screens';

/**
 * Each screen once: no accessibility finding in either theme, nothing that scrolls sideways, no error, no policy
 * violation. With PICTURES=1 its pictures are left in test-results to be looked at; they are not compared, because
 * fonts differ between machines.
 */
for (const { name, path, mock, act } of SCREENS) {
  test(`${name} is accessible`, async ({ page, open }, info) => {
    await open(path, mock);
    await act?.(page);
    // Longer than any transition.
    await page.waitForTimeout(350);
    await takePicture(page, info, `${name} light`);
    expect(await axeFindings(page)).toEqual([]);
    expect(await sideways(page)).toBeLessThanOrEqual(0);
    // The narrow layout has the same colours; one pass over them is enough.
    if (info.project.name === 'phone') return;
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForTimeout(200);
    await transitionsEnded(page);
    await takePicture(page, info, `${name} dark`);
    expect(await axeFindings(page, ['color-contrast'])).toEqual([]);
  });
}

/** However long a busy machine takes: a colour halfway to the other theme is nobody's colour. */
async function transitionsEnded(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const running = document.getAnimations().filter((each) => each instanceof CSSTransition);
    await Promise.allSettled(running.map(({ finished }) => finished));
  });
}

async function takePicture(page: Page, info: TestInfo, name: string): Promise<void> {
  if (!process.env.PICTURES) return;
  const path = `test-results/screens/${info.project.name}/${name.replaceAll(' ', '-')}.png`;
  await page.screenshot({ path, animations: 'disabled' });
}
